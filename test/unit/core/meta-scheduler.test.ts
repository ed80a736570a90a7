import assert from "node:assert/strict";
import { MetaScheduler, type MetaSchedulerOptions } from "../../../src/core/reference/meta-scheduler.js";
import { minstdDraw } from "../../../src/core/reference/minstd.js";
import type { Task } from "../../../src/core/task.js";
import { InvalidRequestError } from "../../../src/errors.js";

const TASK: Task = {
  description: "task",
  workloadKey: "[]",
  structure: "",
  weight: 1,
  flops: 1,
  coreOperation: null,
  similarityTags: [],
};

function scheduler(weights: readonly number[], options: Partial<MetaSchedulerOptions> = {}): MetaScheduler {
  const tasks = weights.map((weight) => ({ ...TASK, weight }));
  return new MetaScheduler({ tasks, trials: 1000, trialsPerRound: 4, draw: minstdDraw(0), ...options });
}

async function searched(of: MetaScheduler): Promise<number | string> {
  const action = await of.next();
  return action.type === "search" ? action.task : action.reason.type;
}

/** What each task is searched for, until the job stops: every program takes `cost` seconds. */
async function order(of: MetaScheduler, cost: (task: number) => number | null): Promise<(number | string)[]> {
  const all: (number | string)[] = [];
  for (let round = 0; round < 20; round += 1) {
    const action = await of.next();
    all.push(action.type === "search" ? action.task : action.reason.type);
    if (action.type === "stop") {
      break;
    }
    await of.observe(Array.from({ length: action.programs }, () => ({ cost: cost(action.task) })));
  }
  return all;
}

describe("MetaSchedule's scheduler", () => {
  it("searches every task once, then the one with most to gain by weight", async () => {
    const heavy = scheduler([1, 5], { trials: 20 });
    assert.deepEqual(await order(heavy, () => 0.01), [0, 1, 1, 1, 1, "trials-spent"]);
    assert.equal(heavy.trials, 20);
  });

  it("ends a job a round above its trials at most, as TVM does", async () => {
    const job = scheduler([1], { trials: 5, trialsPerTask: 100 });
    await order(job, () => 0.01);
    assert.equal(job.trials, 8);
  });

  it("gives the same answer until it is told what was measured", async () => {
    const job = scheduler([1, 1]);
    assert.deepEqual(await job.next(), await job.next());
    await job.observe([{ cost: 1 }]);
    await assert.rejects(job.observe([]), /no search pending/);
  });

  it("searches a task no further that has nothing left, and stops when none has", async () => {
    const job = scheduler([1, 1], { strategy: "round-robin" });
    assert.equal(await searched(job), 0);
    assert.equal((await job.observe([])).died, "exhausted");
    assert.equal(await searched(job), 1);
    await job.observe([{ cost: 1 }]);
    assert.equal(await searched(job), 1);
    await job.observe([]);
    assert.equal(await searched(job), "all-tasks-dead");
    assert.deepEqual(job.deadTasks, [0, 1]);
  });

  it("keeps to the programs that a task may have", async () => {
    const job = scheduler([1, 9], { trialsPerTask: 6 });
    assert.deepEqual(await order(job, () => 0.01), [0, 1, 1, 0, "all-tasks-dead"]);
    assert.equal(job.trials, 12);
  });

  it("leaves a task that no program ran of for last", async () => {
    assert.deepEqual(
      (await order(scheduler([9, 1], { trials: 20 }), (task) => (task === 0 ? null : 0.01))).slice(0, 5),
      [0, 1, 1, 1, 1],
    );
  });

  it("foretells the round that follows one which improves nothing", async () => {
    const job = scheduler([3, 1, 2]);
    for (let round = 0; round < 12; round += 1) {
      const action = await job.next();
      assert.equal(action.type, "search");
      const likely = await job.likelyNext();
      const before = job.bestCosts[action.type === "search" ? action.task : 0];
      await job.observe([{ cost: before !== undefined && before < 1 ? before : null }]);
      if (round > 2 && likely) {
        assert.equal(await searched(job), likely.task);
      }
    }
  });

  it("begins anew beside an earlier run's programs, whose best costs it knows", async () => {
    const job = scheduler([1, 1], { measuredBefore: [{ task: 1, cost: 0.5 }], trialsBefore: 1 });
    assert.deepEqual(job.bestCosts, [1e10, 0.5]);
    assert.equal(job.trials, 1);
    assert.equal(await searched(job), 0);
    const outcome = await job.observe([{ cost: 0.25 }]);
    assert.equal(outcome.score, 0.75);
  });

  it("stops early where it is asked to, which TVM's cannot", async () => {
    assert.deepEqual(await order(scheduler([1, 1], { earlyStopping: 8 }), () => 0.01), [0, 1, 0, 1, "no-improvement"]);
    const job = scheduler([1], { taskEarlyStopping: 5 });
    assert.deepEqual(await order(job, () => 0.01), [0, 0, "all-tasks-dead"]);
  });

  it("refuses what no job can run with", () => {
    for (const wrong of [
      { trials: 0 },
      { trialsPerTask: 0 },
      { trialsPerRound: 0 },
      { alpha: 2 },
      { backwardWindow: 0 },
    ]) {
      assert.throws(() => scheduler([1], wrong), InvalidRequestError);
    }
    assert.throws(() => scheduler([]), /no task to tune/);
  });

  it("draws by the same seed the same, and each in turn", () => {
    const [one, other] = [minstdDraw(42), minstdDraw(42)];
    const drawn = Array.from({ length: 200 }, () => Number(one(5)));
    assert.deepEqual(
      drawn,
      Array.from({ length: 200 }, () => other(5)),
    );
    assert.deepEqual(new Set(drawn), new Set([0, 1, 2, 3, 4]));
  });
});
