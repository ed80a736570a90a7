import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import type { TuneOptions } from "../../src/tuner/options.js";
import { NOTHING_BEGUN } from "../../src/tuner/resume.js";
import { RoundRunner, type RoundsOfJob } from "../../src/tuner/round-runner.js";

const ROUND = { task: 0, programs: 1, recipe: null };

/** A runner whose worker does all at once but the training, and what the worker was asked for. */
function rounds({ overlap, trainDevice = "cpu" }: Pick<TuneOptions, "overlap" | "trainDevice">) {
  const asked: string[] = [];
  const training = deferred();
  const answers: Record<string, unknown> = {
    propose: { candidates: [0], refusal: null },
    measure: { notices: [] },
    review: { accuracy: 0.5 },
    learn: training.promise,
  };
  const job = {
    options: { overlap, trainDevice, target: "llvm", simulated: false, buildTimeout: 1, runTimeout: 1 },
    worker: {
      request: async (operation: string) => {
        asked.push(operation);
        return answers[operation];
      },
    },
    decider: { likelyNext: async () => null },
    stopping: new AbortController().signal,
  };
  return { runner: new RoundRunner(job as unknown as RoundsOfJob), asked, training };
}

function deferred() {
  let resolve!: (value: unknown) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise((done, failed) => {
    [resolve, reject] = [done, failed];
  });
  return { promise, resolve, reject };
}

describe("a round's training", () => {
  it("goes on while the next round is measured, where that disturbs no timing", async () => {
    const { runner, asked, training } = rounds({ overlap: true });
    const first = await runner.run(ROUND, NOTHING_BEGUN);
    assert.equal(first.accuracy, 0.5);
    const second = runner.run(ROUND, NOTHING_BEGUN);
    await setImmediate();
    assert.deepEqual(asked, ["propose", "measure", "review", "learn", "propose", "measure", "review"]);
    training.resolve({ records: 1 });
    await second;
    await runner.finish();
    assert.equal(asked.at(-1), "learn");
  });

  it("is waited for where it would disturb", async () => {
    for (const options of [{ overlap: false }, { overlap: true, trainDevice: "cuda" }] as const) {
      const { runner, asked, training } = rounds(options);
      let done = false;
      const round = runner.run(ROUND, NOTHING_BEGUN).then(() => {
        done = true;
      });
      await setImmediate();
      assert.deepEqual([asked.at(-1), done], ["learn", false]);
      training.resolve({ records: 1 });
      await round;
    }
  });

  it("that fails ends the job at the next round, or at its end", async () => {
    for (const wait of [
      (runner: RoundRunner) => runner.run(ROUND, NOTHING_BEGUN),
      (runner: RoundRunner) => runner.finish(),
    ]) {
      const { runner, training } = rounds({ overlap: true });
      await runner.run(ROUND, NOTHING_BEGUN);
      training.reject(new Error("no memory"));
      await assert.rejects(wait(runner), /no memory/);
    }
  });
});
