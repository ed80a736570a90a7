import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, rename } from "node:fs/promises";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { exportLibrary } from "../../src/network/evaluate.js";
import { extractTasks } from "../../src/network/tasks.js";
import { readHistory } from "../../src/records/job-history.js";
import { readLog } from "../../src/records/log.js";
import { tvmPython } from "../../src/worker/installation.js";
import { startWorker } from "../../src/worker/start.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const MINUTE = 60_000;
const CUDA = "cuda -arch=sm_70";
const SMALL = ["--trials", "8", "--trials-per-round", "2", "--population", "32", "--generations", "1"];
const MEAN = /^Mean inference time \(std dev\): [\d.]+ ms \([\d.]+ ms\)$/m;

const PLAIN_RUN = `
import json, sys
import numpy, tvm
from tvm.contrib import graph_executor
library = tvm.runtime.load_module(sys.argv[1])
network = graph_executor.GraphModule(library["default"](tvm.cpu()))
network.set_input("data", numpy.ones((1, 1, 28, 28), "float32"))
network.run()
_, shapes = json.loads(library["get_graph_json"]())["attrs"]["shape"]
assert not [name for name in sys.modules if "familyseer" in name]
print(json.dumps({"dimensions": max(map(len, shapes)), "output": network.get_output(0).numpy().ravel().tolist()}))
`;

const KINDS_OF_MODULES = `
import sys, tvm
def kinds(module):
    return [module.type_key, *(kind for inner in module.imported_modules for kind in kinds(inner))]
print(*kinds(tvm.runtime.load_module(sys.argv[1])))
`;

/** Of a job's journal: the programs measured, and the tuner. */
async function journaled(log: string): Promise<{ measured: number; tuner: string | null }> {
  const job = await readHistory(log);
  const measured = (job?.rounds ?? []).reduce((sum, { finished }) => sum + (finished?.costs.length ?? 0), 0);
  return { measured, tuner: job?.started.tuner ?? null };
}

/** Skips a test and says why in its title, as mocha has no other place for it. */
function skip(context: Mocha.Context, reason: string): never {
  if (context.test) {
    context.test.title += ` (skipped: ${reason})`;
  }
  context.skip();
}

describe("scripts/tune_network", function () {
  this.timeout(4 * MINUTE);
  let folder: string;
  let gpus: number;
  before(async () => {
    const worker = await startWorker({ target: CUDA });
    ({ gpus } = await worker.request("gpus", {}, { deadlineMs: MINUTE }));
    await worker.close();
  });
  beforeEach(async () => {
    folder = await temporaryFolder();
  });

  const script = (name: string, ...args: string[]) =>
    execa(resolve("scripts", name), [...(args.includes("--model") ? [] : ["--model", "mlp"]), ...args], {
      cwd: folder,
      reject: false,
      all: true,
    });

  it("tunes for the CPU, prints what FamilySeer's script prints, and exports what plain TVM runs", async () => {
    const args = ["--tune", "--mode", "family", ...SMALL, "--min-repeat-ms", "5", "--export", "net.so"];
    const tuned = await script("tune_network_x86", ...args);
    assert.equal(tuned.exitCode, 0, tuned.all);
    assert.match(tuned.stdout, MEAN);
    assert.match(tuned.stdout, /^network: mlp, tuning time: 00:\d\d:\d\d, [\d.]+$/m);
    const records = join(folder, "tuning", "family");
    const log = join(records, "mlp-NHWC-B1-llvm.json");
    assert.equal((await readLog(log)).length, 8);
    const output = await runPlainly("net.so");

    // As the artifact's script names them.
    await rename(log, join(records, "mlp-NHWC-B1-llvm-family-D1.json"));
    const later = await script("tune_network_x86", "--mode", "family", "--pre_tuned", records, "--export", "net.tar");
    assert.match(later.stdout, MEAN);
    assert.match(later.stdout, /^network: mlp, tuning time: 00:00:00, 0$/m);
    assert.deepEqual(await runPlainly("net.tar"), output);

    const missed = await script("tune_network_x86", "--mode", "ansor", "--pre_tuned", records);
    assert.match(
      missed.stderr,
      /There are no records .*\. The folder has mlp-NHWC-B1-llvm-family-D1\.json, of another mode/,
    );
    assert.equal(missed.exitCode, 2);
  });

  /** What a network's library computes in a Python that has TVM and nothing of ours; its weights must be in tuned layouts. */
  async function runPlainly(library: string): Promise<number[]> {
    const { stdout } = await execa(tvmPython(), ["-c", PLAIN_RUN, library], { cwd: folder, env: { PYTHONPATH: "" } });
    const { dimensions, output } = JSON.parse(stdout) as { dimensions: number; output: number[] };
    assert.ok(dimensions > 4, `weights have ${dimensions} dimensions at most, as untuned ones have`);
    return output;
  }

  it("tunes by MetaSchedule's own way, and takes its records by their tuner or their mode", async () => {
    const tuned = await script(
      "tune_network_x86",
      "--mode",
      "metaschedule",
      "--tune",
      ...SMALL,
      "--min-repeat-ms",
      "5",
    );
    assert.equal(tuned.exitCode, 0, tuned.all);
    assert.match(tuned.stdout, MEAN);
    assert.match(tuned.stdout, /tasks .*, tuned by MetaSchedule: 8 trials, 2 a round\n(.*\n)*round 3: .*, warm-up: /);
    const records = join(folder, "tuning", "metaschedule");
    assert.deepEqual(await readdir(records), ["mlp-NHWC-B1-llvm"]);
    const { measured, tuner } = await journaled(join(records, "mlp-NHWC-B1-llvm", "database_tuning_record.json"));
    assert.deepEqual([measured, tuner], [8, "metaschedule"]);

    const later = await script("tune_network_x86", "--pre_tuned", records);
    assert.match(later.stdout, MEAN, later.all);
    const other = await script("tune_network_x86", "--mode", "ansor", "--tuner", "metaschedule", "--tune");
    assert.equal(other.exitCode, 2);
    assert.match(other.stderr, /The mode ansor is how Ansor tunes by itself, and metaschedule is asked for/);
  });

  it("says which records are not there", async () => {
    const { exitCode, stderr } = await script("tune_network_x86", "--mode", "ansor", "--batch_size", "2");
    assert.match(stderr, /There are no records tuning\/ansor\/mlp-NHWC-B2-llvm\.json/);
    assert.equal(exitCode, 2);
  });

  it("refuses what can be known to fail before it asks for GPUs, records or a folder", async () => {
    const cases: [string[], RegExp][] = [
      [["tune_network_gpu", "--model", "mlpp", "--tune"], /Unknown model: mlpp\. Did you mean mlp/],
      [["tune_network_x86", "--model", "mlpp"], /Unknown model: mlpp\. Did you mean mlp/],
      [
        ["tune_network_gpu", "--tune", "--export", "net.dll"],
        /net\.dll .*Expected a file that ends with \.so or \.tar/,
      ],
      [["tune_network_x86", "--tune", "--mode", "anosr"], /Did you mean ansor/],
      [["tune_network_x86", "--tune", "--mode", "../family"], /The mode is "\.\.\/family"\. Expected a word/],
    ];
    for (const [[name = "", ...args], message] of cases) {
      const { exitCode, stderr } = await script(name, ...args);
      assert.match(stderr, message);
      assert.equal(exitCode, 2, args.join(" "));
    }
    assert.deepEqual(await readdir(folder), []);
  });

  it("exports for a GPU that is not here, from Node, and from records that another TVM wrote", async function () {
    if (!existsSync(tvmPython(undefined, CUDA)) || !tvmPython(undefined, CUDA).includes("cuda")) {
      skip(this, "the CUDA build of TVM is not installed");
    }
    const library = join(folder, "net.so");
    await exportLibrary({
      model: "mobilenet0.5",
      batch: 1,
      layout: "NHWC",
      target: CUDA,
      log: "data/paper/records/mobilenet0.5-v100-familyseer.json",
      acceptOtherTargets: true,
      export: library,
    });
    const { stdout } = await execa(tvmPython(undefined, CUDA), ["-c", KINDS_OF_MODULES, library]);
    assert.match(stdout, /GraphExecutorFactory.* cuda/);
  });

  it("says that timing is impossible without a GPU, and writes nothing", async function () {
    if (gpus > 0) {
      skip(this, "there is a GPU here");
    }
    for (const args of [SMALL, ["--gpu_num", "2"]]) {
      const { exitCode, stderr } = await script("tune_network_gpu", "--tune", ...args);
      assert.match(stderr, /There is no GPU .* timing is impossible/);
      assert.equal(exitCode, 2);
    }
    assert.deepEqual(await readdir(folder), []);
  });

  it("lists the tasks for CUDA without a GPU", async () => {
    const worker = await startWorker({ target: CUDA });
    try {
      const network = { model: "mlp", batch: 1, layout: "NHWC", target: CUDA };
      const { tasks } = await extractTasks(worker, network);
      assert.equal(tasks.filter(({ coreOperation }) => coreOperation === "nn.dense").length, 3);
    } finally {
      await worker.close();
    }
  });

  it("tunes for the GPU and prints the mean inference time", async function () {
    if (gpus === 0) {
      skip(this, "there is no GPU here");
    }
    const { exitCode, all, stdout } = await script("tune_network_gpu", "--tune", ...SMALL, "--min-repeat-ms", "20");
    assert.equal(exitCode, 0, all);
    assert.match(stdout, MEAN);
  });
});
