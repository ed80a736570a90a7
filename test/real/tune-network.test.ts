import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { readLog } from "../../src/records/log.js";
import { extractTasks } from "../../src/tuner/tasks.js";
import { startWorker } from "../../src/worker/start.js";
import { temporaryFolder } from "../temporary-folder.js";

const MINUTE = 60_000;
const CUDA = "cuda -arch=sm_70";
const SMALL = ["--trials", "8", "--trials-per-round", "2", "--population", "32", "--generations", "1"];
const MEAN = /^Mean inference time \(std dev\): [\d.]+ ms \([\d.]+ ms\)$/m;

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
    execa(resolve("scripts", name), ["--model", "mlp", ...args], { cwd: folder, reject: false, all: true });

  it("tunes for the CPU, prints the mean inference time, and later takes the records", async () => {
    const records = join(folder, "records");
    const quick = [...SMALL, "--min-repeat-ms", "5"];
    const tuned = await script("tune_network_x86", "--tune", "--mode", "ansor", "--pre_tuned", records, ...quick);
    assert.equal(tuned.exitCode, 0, tuned.all);
    assert.match(tuned.stdout, MEAN);
    assert.equal((await readLog(join(records, "mlp-NHWC-B1-llvm.json"))).length, 8);
    assert.match((await script("tune_network_x86", "--pre_tuned", records)).stdout, MEAN);
  });

  it("says which records are not there", async () => {
    const { exitCode, stderr } = await script("tune_network_x86", "--mode", "ansor", "--batch_size", "2");
    assert.match(stderr, /There are no records tuning\/ansor\/mlp-NHWC-B2-llvm\.json/);
    assert.equal(exitCode, 2);
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

  it("refuses to set up a CUDA build that there is none of", async () => {
    const { exitCode, stderr } = await execa("scripts/setup", ["--cuda", "--tvm", "0.14.0"], { reject: false });
    assert.match(stderr, /no CUDA build of TVM 0\.14\.0 to install\. Expected one of: 0\.18\.0;/);
    assert.equal(exitCode, 2);
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
