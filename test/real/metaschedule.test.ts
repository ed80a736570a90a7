import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { evaluate } from "../../src/network/evaluate.js";
import { tvmPython } from "../../src/worker/installation.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const MINUTE = 60_000;
const NETWORK = ["--tuner", "metaschedule", "--model", "mlp", "--target", "native"];
const SMALL = ["--trials", "16", "--min-repeat-ms", "5", "--repeat", "1"];

const PLAIN_RUN = `
import sys
import numpy, tvm
from tvm import relax
network = relax.VirtualMachine(tvm.runtime.load_module(sys.argv[1]), tvm.cpu())
output = network["main"](tvm.runtime.tensor(numpy.ones((1, 1, 28, 28), "float32"))).numpy()
assert not [name for name in sys.modules if "familyseer" in name]
assert output.shape == (1, 10) and abs(output.sum() - 1) < 1e-4, output
`;

const PLAIN_DATABASE = `
import sys
from tvm.s_tir import meta_schedule as ms
print(len(ms.database.JSONDatabase(work_dir=sys.argv[1], allow_missing=False)))
`;

function familyseer(...args: string[]) {
  return execa("node", [resolve("scripts/familyseer.js"), ...args], { reject: false });
}

describe("a network tuned by MetaSchedule", function () {
  this.timeout(4 * MINUTE);
  let folder: string;
  let log: string;
  before(async () => {
    folder = await temporaryFolder();
    log = join(folder, "tuned");
    const { exitCode, all } = await execa(
      "node",
      [resolve("scripts/familyseer.js"), "tune", ...NETWORK, ...SMALL, "--log", log],
      { reject: false, all: true },
    );
    assert.equal(exitCode, 0, all);
    assert.match(all, /tuned by MetaSchedule/);
  });

  it("has its records in a database that plain TVM reads", async () => {
    const { stdout } = await execa(tvmPython(undefined, "native", "metaschedule"), ["-c", PLAIN_DATABASE, log]);
    assert.equal(stdout, "16");
  });

  it("has a best record for each task", async () => {
    const { exitCode, stdout } = await familyseer("best", log, "--json");
    assert.equal(exitCode, 0);
    const best = JSON.parse(stdout) as readonly { seconds: number }[];
    assert.equal(best.length, 4);
  });

  it("is timed untuned and tuned by Relax's virtual machine, and exported with its weights", async () => {
    const library = join(folder, "net.so");
    const timings = ["--repeat", "2", "--min-repeat-ms", "20"];
    const { exitCode, stdout, stderr } = await familyseer(
      "evaluate",
      ...NETWORK,
      ...timings,
      "--log",
      log,
      "--export",
      library,
    );
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /^mlp: untuned [\d.]+ ms, tuned [\d.]+ ms \([\d.]+ times as fast\), threads: \d+$/m);
    assert.match(stderr, /^by Relax's virtual machine, with the log's programs for 4 of 4 functions$/m);
    await execa(tvmPython(undefined, "native", "metaschedule"), ["-c", PLAIN_RUN, library], { cwd: folder });
    assert.ok((await readdir(folder)).every((name) => !name.startsWith(".familyseer-")));
  });

  it("is timed from Node, too", async () => {
    const notices: string[] = [];
    const { untuned, tuned, threads } = await evaluate({
      model: "mlp",
      batch: 1,
      layout: "NHWC",
      target: "native",
      tuner: "metaschedule",
      log,
      repeat: 1,
      minRepeatMs: 5,
      onNotice: (notice: string) => notices.push(notice),
    });
    assert.ok(untuned > 0 && tuned > 0 && threads !== null);
    assert.ok(notices.some((notice) => notice.includes("4 of 4 functions")));
  });

  it("is refused as a log of the other tuner's, as is the other's as one of its own", async () => {
    const ofAnsor = resolve("test/cases/written-by-1163ea4/fast.log");
    const ansor = await familyseer("evaluate", "--tuner", "ansor", "--model", "mlp", "--target", "llvm", "--log", log);
    assert.equal(ansor.exitCode, 2, ansor.stderr);
    assert.match(ansor.stderr, /tuned is a folder, as databases of MetaSchedule's are\. .*--tuner metaschedule/);
    const other = await familyseer("evaluate", ...NETWORK, "--log", ofAnsor);
    assert.equal(other.exitCode, 2, other.stderr);
    assert.match(other.stderr, /fast\.log is a file of another tuner's records\. .*--tuner ansor/);
  });
});
