import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { pack } from "msgpackr/pack";
import { Dealer } from "zeromq";
import { DeadlineError, InvalidRequestError } from "../../src/errors.js";
import { PROTOCOL_VERSION } from "../../src/protocol/limits.js";
import { CHANNELS } from "../../src/worker/channel.js";
import { startWorker } from "../../src/worker/start.js";
import { Worker } from "../../src/worker/worker.js";
import { ZeroMqChannel } from "../../src/worker/zeromq-channel.js";

const SECONDS = 1000;

/** What every channel guarantees, with a real TVM worker behind it. */
for (const channel of CHANNELS) {
  describe(`channel ${channel}`, function () {
    this.timeout(180 * SECONDS);
    let worker: Worker;
    let environment: NodeJS.ProcessEnv;
    before(async () => {
      environment = { ...process.env };
      worker = await startWorker({ channel });
    });
    after(() => worker.close());

    it("shakes hands and says which TVM is there", () => {
      assert.match(worker.tvmVersion, /^\d+\.\d+/);
      assert.ok(worker.pid > 0);
    });

    it("leaves this process's environment as it was", () => {
      assert.deepEqual(ofPython(process.env), ofPython(environment));
    });

    it("answers many requests at once, each with its own answer", async () => {
      await Promise.all(Array.from({ length: 50 }, () => worker.request("ping", {}, { deadlineMs: 30 * SECONDS })));
    });

    it("carries large answers whole, and what a request did wrong", async () => {
      const params = {
        model: "mlp",
        batch: 1,
        inputs: [],
        layout: "NHWC",
        target: "llvm -num-cores=2",
        cache: null,
      };
      const { tasks } = await worker.request("extract", params, { deadlineMs: 120 * SECONDS });
      assert.deepEqual(
        tasks.map((task) => task.core_operation ?? "").sort((a, b) => a.localeCompare(b)),
        ["nn.dense", "nn.dense", "nn.dense", "nn.softmax"],
      );
      await assert.rejects(
        worker.request("extract", { ...params, model: "mlpp" }, { deadlineMs: 60 * SECONDS }),
        (error) => error instanceof InvalidRequestError && /Did you mean mlp/.test(error.message),
      );
    });

    it("keeps a deadline, and goes on after it", async () => {
      const params = { model: "dqn", batch: 1, inputs: [], layout: "NHWC", target: "llvm", cache: null };
      await assert.rejects(worker.request("extract", params, { deadlineMs: 50 }), DeadlineError);
      await worker.request("ping", {}, { deadlineMs: 120 * SECONDS });
    });
  });
}

describe("a worker that dies", () => {
  it("is an error at once, never a hang", async () => {
    const worker = await startWorker();
    const request = worker.request(
      "extract",
      { model: "resnet-18", batch: 1, inputs: [], layout: "NHWC", target: "llvm", cache: null },
      { deadlineMs: 100 * SECONDS },
    );
    process.kill(worker.pid, "SIGKILL");
    await assert.rejects(request, /was ended by SIGKILL/);
    await worker.close();
  }).timeout(60 * SECONDS);

  describe("whose connection goes before its end is known", () => {
    let worker: Worker;
    beforeEach(async () => {
      const socket = new Dealer({ linger: 0 });
      worker = await Worker.start(
        new ZeroMqChannel(({ endpoint }) => {
          socket.connect(endpoint);
          void socket.send(
            pack({ type: "hello", protocol: PROTOCOL_VERSION, tvm_version: "", tuner: "", python_version: "", pid: 1 }),
          );
          return { lastOutput: [], end: async () => undefined };
        }),
      );
      socket.close();
    });

    it("does not answer, and that is all", async () => {
      const ask = () => worker.request("ping", {}, { deadlineMs: SECONDS });
      await Promise.all([assert.rejects(ask(), DeadlineError), assert.rejects(ask(), DeadlineError)]);
      await assert.rejects(ask(), DeadlineError);
      await worker.close();
    });

    it("does not keep this side from closing", async () => {
      await delay(100);
      await worker.close();
    });
  });
});

/** Libraries and the Python's own site set others, where the worker is in this process. */
function ofPython(environment: NodeJS.ProcessEnv): [string, string | undefined][] {
  return Object.entries(environment).filter(([name]) => /^(PYTHON|TMPDIR|TEST_DATA)/.test(name));
}
