import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { noPrograms } from "../../../src/core/fast/recipe.js";
import { NOTHING_BEGUN } from "../../../src/job/resume.js";
import { RoundRunner, type RoundsOfJob } from "../../../src/job/round-runner.js";
import type { TuneOptions } from "../../../src/options/options.js";
import type { OperationName, Result } from "../../../src/protocol/operations/index.js";
import { checkedParams, checkedResult } from "../../helpers/checked.js";

const ROUND = { task: 0, programs: 1, recipe: null };

/**
 * A runner of two workers, of the even tasks and of the odd ones, which do all at once but the training, and what they were
 * asked for.
 */
function rounds({ overlap, trainDevice = "cpu" }: Pick<TuneOptions, "overlap" | "trainDevice">, likely: number[] = []) {
  const asked: string[] = [];
  const ofTasks: string[] = [];
  const training = deferred();
  const answers: { readonly [O in OperationName]?: Result<O> | Promise<unknown> } = {
    propose: { candidates: [0], refusal: null },
    prepare: {},
    measure: { measured: 1, notices: [] },
    review: { accuracy: 0.5, of: "round" },
    learn: training.promise,
  };
  const worker = {
    request: async (operation: OperationName, params: { task: number }) => {
      const { task } = checkedParams(operation, params) as typeof params;
      asked.push(operation);
      ofTasks.push(`${operation} ${task}`);
      return structuredClone(checkedResult(operation, await answers[operation]));
    },
  };
  const job = {
    options: { overlap, trainDevice, target: "llvm", simulated: false, buildTimeout: 1, runTimeout: 1 },
    workers: { all: [worker, worker], of: () => worker, numberOf: (task: number) => task % 2 },
    decider: {
      likelyNext: async (among: (task: number) => boolean) => {
        const task = likely.find(among);
        return task === undefined ? null : { task, programs: 1 };
      },
    },
    stopping: new AbortController().signal,
  };
  return { runner: new RoundRunner(job as unknown as RoundsOfJob), asked, ofTasks, training };
}

function deferred() {
  let resolve!: (value: unknown) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise((done, failed) => {
    [resolve, reject] = [done, failed];
  });
  return { promise, resolve, reject };
}

describe("a worker that has nothing to do with a round", () => {
  it("searches ahead for the next of its own, and the round takes what it found", async () => {
    const { runner, ofTasks, training } = rounds({ overlap: true }, [3, 2]);
    training.resolve({ records: 1 });
    await runner.run({ ...ROUND, task: 0 }, NOTHING_BEGUN);
    const beside = ["propose 3", "prepare 3"];
    const [own, ahead] = [
      ["propose 0", "measure 0", "review 0", "learn 0"],
      ["propose 2", "prepare 2"],
    ];
    assert.deepEqual(ofTasks.toSorted(), [...beside, ...own, ...ahead].toSorted());
    ofTasks.length = 0;
    await runner.run({ ...ROUND, task: 3 }, NOTHING_BEGUN);
    const again = ["propose 3", "prepare 3"];
    assert.deepEqual(ofTasks.toSorted(), ["measure 3", "review 3", "learn 3", ...again].toSorted(), "2 is found");
  });

  it("finds nothing for a foresee round, which tries the siblings' schedules alone", async () => {
    const { runner, ofTasks, training } = rounds({ overlap: true }, [3, 2]);
    training.resolve({ records: 1 });
    await runner.run({ ...ROUND, task: 0 }, NOTHING_BEGUN);
    ofTasks.length = 0;
    const programs = { ...noPrograms(), sibling: 1 };
    const recipe = { programs, donors: [1], population: 64, generations: 2, draft: true };
    await runner.run({ ...ROUND, task: 3, recipe }, NOTHING_BEGUN);
    assert.ok(ofTasks.includes("propose 3"), "what was found ahead waits");
    ofTasks.length = 0;
    await runner.run({ ...ROUND, task: 3 }, NOTHING_BEGUN);
    assert.ok(!ofTasks.slice(0, ofTasks.indexOf("measure 3")).includes("propose 3"), "for the task's next round");
  });

  it("does not where that would disturb", async () => {
    const { runner, ofTasks, training } = rounds({ overlap: false }, [3, 2]);
    training.resolve({ records: 1 });
    await runner.run({ ...ROUND, task: 0 }, NOTHING_BEGUN);
    assert.deepEqual(ofTasks, ["propose 0", "measure 0", "review 0", "learn 0"]);
  });
});

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
