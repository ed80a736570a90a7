import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { tvmPython } from "../../src/worker/installation.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { tuneUntilKilled } from "../helpers/tune-until-killed.js";

const MINUTE = 60_000;
const TRIALS = 24;

describe("a real tuning", function () {
  this.timeout(4 * MINUTE);
  let log: string;
  before(async () => {
    log = join(await temporaryFolder(), "t.log");
  });

  const tune = (trials: number, killAfter: number) =>
    tuneUntilKilled(
      ["--model", "mlp", "--target", "llvm", "--log", log, "--trials", `${trials}`, "--no-retime"],
      killAfter,
    );

  async function records(): Promise<string[]> {
    return (await readFile(log, "utf8")).split("\n").slice(0, -1);
  }

  it("that is killed twice and resumed measures what was asked for, no program twice", async () => {
    let told = 0;
    for (const killAfter of [5, 7, Number.POSITIVE_INFINITY]) {
      const run = await tune(TRIALS, killAfter);
      told += run.told;
      assert.ok((await records()).length >= told, run.all);
    }
    const lines = await records();
    assert.equal(lines.length, TRIALS);
    assert.equal(new Set(lines.map((line) => JSON.stringify(JSON.parse(line).i))).size, TRIALS);
    const script =
      "import sys; from tvm import auto_scheduler; print(len(list(auto_scheduler.load_records(sys.argv[1]))))";
    assert.match((await execa(tvmPython(), ["-c", script, log])).stdout, new RegExp(`^${TRIALS}$`, "m"));
  });

  it("says whether its job has ended, of how many tasks there are programs, and what of a log was skipped", async () => {
    const best = await execa("node", ["scripts/familyseer.js", "best", log]);
    assert.match(best.stderr, /4 of the job's 4 tasks have a program that ran; its end: the trials are spent/);
    const evaluated = await execa("node", ["scripts/familyseer.js", ...evaluation("llvm")], { reject: false });
    assert.match(evaluated.stderr, /24 records of .* cover 4 of 4 tasks/);
    assert.equal(evaluated.exitCode, 0, evaluated.stderr);
  });

  it("is no log for another device, unless that is asked for", async () => {
    const refused = await execa("node", ["scripts/familyseer.js", ...evaluation("llvm -mcpu=core-avx2")], {
      reject: false,
    });
    assert.equal(refused.exitCode, 2);
    assert.match(refused.stderr, /has no record for the target llvm .*-mcpu=core-avx2.*, but 24 for the target llvm/);
    assert.match(refused.stderr, /--accept-other-targets/);
    const taken = await execa("node", [
      "scripts/familyseer.js",
      ...evaluation("llvm -mcpu=core-avx2"),
      "--accept-other-targets",
    ]);
    assert.match(taken.stdout, /untuned [\d.]+ ms, tuned [\d.]+ ms/);
  });

  function evaluation(target: string): string[] {
    const timing = ["--repeat", "1", "--min-repeat-ms", "1"];
    return ["evaluate", "--model", "mlp", "--target", target, "--log", log, ...timing];
  }
});
