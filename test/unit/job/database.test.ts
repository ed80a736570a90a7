import assert from "node:assert/strict";
import { appendFile, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { workloadsOf } from "../../../src/records/paths.js";
import { ScriptedTuning } from "../../helpers/scripted-tuning.js";

const META = { tuner: "metaschedule" };
const REFERENCE = ["--mode", "reference", "--trials", "40", "--trials-per-round", "4"];

function familyseer(...args: readonly string[]) {
  return execa("node", ["scripts/familyseer.js", ...args], { reject: false });
}

describe("a job whose log is a database", function () {
  this.timeout(60_000);
  let tuning: ScriptedTuning;
  beforeEach(async () => {
    tuning = await ScriptedTuning.make(META);
  });
  const workloads = () => readFile(workloadsOf(tuning.recordsFile), "utf8");

  it("makes the folder, with the workloads before the records, and its journal beside them", async () => {
    const { exitCode, stderr } = await tuning.run(REFERENCE);
    assert.equal(exitCode, 0, stderr);
    assert.equal((await tuning.records()).length, 40);
    assert.equal((await workloads()).trim().split("\n").length, 5);
    assert.deepEqual((await readdir(tuning.log)).sort(), [
      "database_tuning_record.json",
      "database_tuning_record.json.journal.jsonl",
      "database_workload.json",
    ]);
  });

  it("makes no folder where it is refused", async () => {
    const { exitCode } = await tuning.run([...REFERENCE, "--search-policy", "sketch.xgb"]);
    assert.equal(exitCode, 2);
    await assert.rejects(stat(tuning.log));
  });

  it("is read and gone on with though its last lines were cut", async () => {
    await tuning.run(REFERENCE, 12);
    const named = await workloads();
    await appendFile(tuning.recordsFile, '[0,[[[["St');
    // As a kill between two workloads leaves it, before there is a record of them.
    await appendFile(workloadsOf(tuning.recordsFile), '["1000","AA');
    const best = await familyseer("best", tuning.log);
    assert.equal(best.exitCode, 0, best.stderr);
    assert.match(best.stderr, /1 line of .* skipped: 1 that are no records/);
    const { exitCode, stderr } = await tuning.run([...REFERENCE, "--resume"]);
    assert.equal(exitCode, 0, stderr);
    assert.equal(await workloads(), named);
    const records = await tuning.records();
    assert.equal(new Set(records.map((line) => JSON.stringify(JSON.parse(line)))).size, 40);
  });

  it("adds to one that is there, whose lines stay as they are, and takes it as --load-log", async () => {
    await tuning.run(REFERENCE);
    const [before, named] = [await tuning.records(), await workloads()];
    const { exitCode, stderr } = await tuning.run([...REFERENCE, "--load-log", `${tuning.log}/`]);
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual((await tuning.records()).slice(0, 40), before);
    assert.equal((await tuning.records()).length, 80);
    assert.equal(await workloads(), named);
  });

  it("is shown by best and report, by its folder's name, and the best of it is a database", async () => {
    await tuning.run(REFERENCE);
    const { stdout, stderr } = await familyseer("best", tuning.log, "--distill", join(tuning.folder, "best"));
    assert.match(stdout, /^task 0 +[\d.]+ +1 /m);
    assert.match(stderr, /tuned by MetaSchedule[^]*5 records written to .*best/);
    const distilled = JSON.parse((await familyseer("best", join(tuning.folder, "best"), "--json")).stdout);
    assert.deepEqual(
      distilled.map(({ trials, tuner }: { trials: number; tuner: string }) => [trials, tuner]),
      Array.from({ length: 5 }, () => [1, "metaschedule"]),
    );
    const again = await familyseer("best", tuning.log, "--distill", tuning.log);
    assert.match(again.stderr, /is what the records are read from/);
    const over = await familyseer("report", tuning.log, "--out", workloadsOf(tuning.recordsFile));
    assert.match(over.stderr, /is a file that the page is made from/);
    const page = join(tuning.folder, "page.html");
    const { exitCode } = await familyseer("report", tuning.log, "--out", page);
    assert.equal(exitCode, 0);
    const data = JSON.parse(/type="application\/json"[^>]*>([^<]*)</.exec(await readFile(page, "utf8"))?.[1] ?? "{}");
    assert.equal(data.runs[0].name, "t.log");
    assert.ok(data.runs[0].seconds > 0);
  });

  it("is no log of Ansor's, nor the other way round", async () => {
    await tuning.run(REFERENCE);
    const ansors = await ScriptedTuning.make();
    await ansors.run(REFERENCE);
    const model = ["--model", "scripted", "--tvm-python"];
    for (const [refused, words] of [
      [await ansors.run([...REFERENCE, "--load-log", tuning.log]), /is a folder, as databases/],
      [await ansors.run([...REFERENCE, "--log", tuning.log]), /is a folder, as databases/],
      [await tuning.run([...REFERENCE, "--load-log", ansors.log]), /is a file of another tuner's records/],
      [await tuning.run([...REFERENCE, "--log", ansors.log]), /is a file of another tuner's records/],
      [await familyseer("evaluate", ...model, tuning.python, "--log", ansors.log), /is a file of another tuner's/],
      [await familyseer("evaluate", ...model, ansors.python, "--log", tuning.log), /is a folder, as databases/],
      [await familyseer("best", tuning.folder), /has no database_tuning_record.json/],
    ] as const) {
      assert.equal(refused.exitCode, 2, refused.stderr);
      assert.match(refused.stderr, words);
    }
    assert.equal((await tuning.records()).length, 40);
  });

  it("is not added to where the worker sees other workloads than there are", async () => {
    await tuning.run(REFERENCE);
    await writeFile(workloadsOf(tuning.recordsFile), `${await workloads()}["1000","AAAA"]\n`);
    const { exitCode, stderr } = await tuning.run(REFERENCE);
    assert.equal(exitCode, 2);
    assert.match(stderr, /does not see what is in .*database_workload.json/);
  });
});
