import assert from "node:assert/strict";
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { logIn, modelsOf, workloadsOf } from "../../src/records/paths.js";
import { tvmPython } from "../../src/worker/installation.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { tuneUntilKilled } from "../helpers/tune-until-killed.js";

const MINUTE = 60_000;
const TRIALS = 12;
const TARGET = "llvm -num-cores=2";
const NETWORK = ["--model", "mlp", "--tuner", "metaschedule"];

/** What TVM's own classes find in a database: its records, and of each workload the best time in seconds. */
const READ = `
import json, sys
from tvm.s_tir import meta_schedule
database = meta_schedule.database.JSONDatabase(work_dir=sys.argv[1], allow_missing=False)
records = database.get_all_tuning_records()
tops = [database.get_top_k(record.workload, 1)[0] for record in records]
best = {min(float(each) for each in top.run_secs) for top in tops}
print(json.dumps([len(database), sorted(best)]))
`;

describe("a real tuning with MetaSchedule into a database", function () {
  this.timeout(4 * MINUTE);
  let folder: string;
  before(async () => {
    folder = join(await temporaryFolder(), "mlp");
    await mkdir(folder);
  });

  const tune = (killAfter: number) =>
    tuneUntilKilled(
      [...NETWORK, "--target", TARGET, "--log", folder, "--trials", `${TRIALS}`, "--no-retime"],
      killAfter,
    );

  it("that is killed, its last lines cut, and resumed measures what was asked for, no program twice; TVM reads it", async () => {
    const log = logIn(folder);
    const lines = async () => (await readFile(log, "utf8")).split("\n").slice(0, -1);
    const killed = await tune(5);
    assert.ok((await lines()).length >= killed.told, killed.all);
    await appendFile(log, (await lines())[0]?.slice(0, 400) ?? "");
    const workloads = await readFile(workloadsOf(log), "utf8");
    await appendFile(workloadsOf(log), workloads.slice(0, 400));
    const { all } = await tune(Number.POSITIVE_INFINITY);
    assert.equal((await lines()).length, TRIALS, all);
    assert.equal(await readFile(workloadsOf(log), "utf8"), workloads);
    assert.equal(new Set((await lines()).map((line) => JSON.stringify(JSON.parse(line)[1][0]))).size, TRIALS);
    const models: { records: number }[] = JSON.parse(await readFile(join(modelsOf(log), "models.json"), "utf8"));
    assert.equal(
      models.reduce((sum, { records }) => sum + records, 0),
      TRIALS,
    );

    const python = tvmPython(undefined, TARGET, "metaschedule");
    const [count, best] = JSON.parse((await execa(python, ["-c", READ, folder])).stdout);
    assert.equal(count, TRIALS);
    const { stdout, stderr } = await execa("node", ["scripts/familyseer.js", "best", folder, "--json"]);
    assert.match(stderr, /4 of the job's 4 tasks have a program that ran; its end: the trials are spent/);
    const ours = JSON.parse(stdout).map(({ seconds }: { seconds: number }) => seconds);
    assert.deepEqual(
      ours.toSorted((a: number, b: number) => a - b),
      best,
    );
  });

  it("is no database for another device, unless that is asked for", async () => {
    const timing = ["--repeat", "1", "--min-repeat-ms", "1"];
    const other = ["evaluate", ...NETWORK, "--target", "llvm -mcpu=core-avx2 -num-cores=2", "--log", folder, ...timing];
    const refused = await execa("node", ["scripts/familyseer.js", ...other], { reject: false });
    assert.equal(refused.exitCode, 2);
    assert.match(
      refused.stderr,
      /has no record for the target llvm -mcpu=core-avx2.*, but 12 for the target llvm -num-cores=2/,
    );
    assert.match(refused.stderr, /--accept-other-targets/);
    const taken = await execa("node", ["scripts/familyseer.js", ...other, "--accept-other-targets"]);
    assert.match(taken.stdout, /untuned [\d.]+ ms, tuned [\d.]+ ms/);
  });
});
