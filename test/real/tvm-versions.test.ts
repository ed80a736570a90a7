import assert from "node:assert/strict";
import { join } from "node:path";
import { execa } from "execa";
import { readLog } from "../../src/records/log.js";
import { tvmPython } from "../../src/worker/installation.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const MINUTE = 60_000;

const familyseer = (...args: string[]) => execa("node", ["scripts/familyseer.js", ...args]);

const WHICH = "import importlib.util as u; print('metaschedule' if u.find_spec('tvm.s_tir') else 'ansor')";

/** A small job from end to end on the TVM of `FAMILYSEER_TVM_PYTHON`; `npm run test:matrix` runs it on every version. */
describe("a small job on this TVM", function () {
  this.timeout(4 * MINUTE);
  let folder: string;
  let tuner: string;
  before(async () => {
    folder = await temporaryFolder();
    tuner = (await execa(tvmPython(), ["-c", WHICH])).stdout.trim();
  });

  it("finds families, tunes with them, and times the tuned network, by MetaSchedule", async function () {
    if (tuner !== "metaschedule") {
      this.skip();
    }
    const network = ["--model", "mlp", "--target", "native"];
    const families = JSON.parse((await familyseer("families", ...network, "--json")).stdout);
    assert.deepEqual(Object.keys(families).sort(), ["nn.dense", "nn.softmax"]);
    const job = [...network, "--log", join(folder, "mlp")];
    const tuned = await familyseer("tune", "--tuner", tuner, "--trials", "12", ...job);
    assert.match(tuned.stdout, /tuned by MetaSchedule: 12 trials[^]* 1[2-9] programs measured \(0 failed\)/);
    const timed = await familyseer("evaluate", ...job);
    assert.match(timed.stdout, /untuned [\d.]+ ms, tuned [\d.]+ ms/);
  });

  it("finds families, tunes with them, and leaves a log that plain TVM reads", async function () {
    if (tuner !== "ansor") {
      this.skip();
    }
    const log = join(folder, "mlp.log");
    const families = JSON.parse((await familyseer("families", "--model", "mlp", "--target", "llvm", "--json")).stdout);
    assert.deepEqual(Object.keys(families).sort(), ["nn.dense", "nn.softmax"]);
    const small = ["--population", "32", "--generations", "1", "--min-repeat-ms", "5", "--number", "1"];
    const budget = ["--trials", "12", "--trials-per-round", "2", "--foresee-trials", "2"];
    const tuned = await familyseer(
      "tune",
      "--mode",
      "reference",
      "--model",
      "mlp",
      "--target",
      "llvm",
      "--log",
      log,
      ...budget,
      ...small,
    );
    const measured = Number(/(\d+) programs measured/.exec(tuned.stdout)?.[1]);
    // A round is never cut short, so the last one may end above what was asked for.
    assert.ok(measured >= 12 && measured < 16, tuned.stdout);
    assert.equal((await readLog(log)).length, measured);
    const script = [
      "import sys, tvm",
      "from tvm import auto_scheduler",
      "history = auto_scheduler.ApplyHistoryBest(sys.argv[1])",
      "print(len(history.best_by_targetkey) > 0)",
    ].join("\n");
    const { stdout } = await execa(tvmPython(), ["-c", script, log]);
    assert.match(stdout, /True$/);
    const timed = await familyseer("evaluate", "--model", "mlp", "--target", "llvm", "--log", log);
    assert.match(timed.stdout, /untuned [\d.]+ ms, tuned [\d.]+ ms/);
  });
});
