import assert from "node:assert/strict";
import type { FastSearch, FastStopReason, MeasuredProgram } from "../../../src/core/decider.js";
import type { FastScheduler } from "../../../src/core/fast/fast-scheduler.js";
import type { FastSchedulerOptions } from "../../../src/core/fast/options.js";
import { LongOutlook } from "../../../src/core/fast/outlook.js";
import type { Origin } from "../../../src/core/fast/recipe.js";
import { seededDraw } from "../../../src/core/random.js";
import type { Task } from "../../../src/core/task.js";
import { InvalidRequestError } from "../../../src/errors.js";
import { fastScheduler } from "./fast-job.js";
import { randomJob } from "./random-job.js";

const SECOND = { seconds: 1, accuracy: null };

/** Alike tasks of one family. */
function tasksOf(count: number): Task[] {
  return Array.from({ length: count }, (_, id) => ({
    description: "",
    workloadKey: `["a", ${id}]`,
    structure: "a",
    weight: 1,
    flops: 1e6,
    coreOperation: "nn.conv2d",
    similarityTags: [],
  }));
}

function scheduler(tasks: readonly Task[], options: Partial<FastSchedulerOptions> = {}): FastScheduler {
  return fastScheduler(tasks, { trials: 10_000, ...options });
}

type Measure = (round: FastSearch, programsBefore: number) => readonly MeasuredProgram[];

/** So many programs of that cost in seconds. */
function programs(count: number, cost: number, origin: Origin = "evolution"): MeasuredProgram[] {
  return Array.from({ length: count }, () => ({ cost, origin }));
}

/** Does a job's rounds until it stops or has done so many; why it stopped, and its rounds. */
async function run(
  ours: FastScheduler,
  measure: Measure,
  most = Number.POSITIVE_INFINITY,
): Promise<{ stopped: FastStopReason | null; rounds: FastSearch[] }> {
  const rounds: FastSearch[] = [];
  while (rounds.length < most) {
    const action = await ours.next();
    if (action.type === "stop") {
      return { stopped: action.reason, rounds };
    }
    rounds.push(action);
    await ours.observe(measure(action, ours.trials), SECOND);
  }
  return { stopped: null, rounds };
}

/** How many moves a round is to have. */
const moves = ({ recipe }: FastSearch) => recipe.programs.descent;
/** What a round gives where moves are to be had; `best` in seconds. */
const given = ({ recipe }: FastSearch, byOrigin: Partial<Record<Origin, number>>): MeasuredProgram[] =>
  (Object.keys(recipe.programs) as Origin[]).flatMap((origin) =>
    programs(recipe.programs[origin], byOrigin[origin] ?? 1, origin),
  );

/** Falls as a power of the number of programs. */
const cost = (count: number) => count ** -0.2;

describe("what a task is expected to gain", () => {
  it("is what a power of the number of its programs gains, once it has been seen", () => {
    const outlook = new LongOutlook(8, { more: 8, share: 0.3 });
    for (let count = 8; count < 512; count += 8) {
      outlook.observe(8, cost(count), cost(count + 8));
    }
    assert.ok(Math.abs(outlook.expected(8) - (1 - cost(520) / cost(512))) < 0.0005, String(outlook.expected(8)));
    assert.ok(Math.abs(outlook.expectedOfAsManyAgain - (1 - 2 ** -0.2)) < 0.02);
  });

  it("falls slowly while nothing is gained, and does not leap by one lucky round", () => {
    const outlook = new LongOutlook(8, { more: 8, share: 0.3 });
    assert.ok(Math.abs(outlook.expected(8) - 0.3) < 1e-9, "at first what its family says");
    const expected = [1, 2, 3, 4].map(() => {
      outlook.observe(8, 1, 1);
      return outlook.expected(8);
    });
    assert.deepEqual(
      expected,
      expected.toSorted((a, b) => b - a),
    );
    assert.ok((expected[3] ?? 0) > 0.01, "a fifth and more of what the second round was expected to gain");
    outlook.observe(8, 1, 0.01);
    assert.ok(outlook.expected(8) < 0.1, "a hundredth of the cost in one round says no more than a quarter off");
  });

  it("decides how long a task is searched: one of more cost gets more rounds, not one or two more", async () => {
    const tasks = tasksOf(2);
    const roundsOf = async (longOutlook: boolean) => {
      const ours = scheduler(tasks, { longOutlook, leastGain: null });
      const { rounds } = await run(ours, (round) => programs(round.programs, round.task === 0 ? 16 : 1), 42);
      return rounds.filter(({ task }) => task === 1).length;
    };
    assert.ok((await roundsOf(false)) > 15, "half of the rounds on a seventeenth of the cost");
    assert.ok((await roundsOf(true)) < 10);
  });
});

/** Which of two tasks a job that counts programs searches after its looks, where every program takes 1 s. */
async function searched(options: Partial<FastSchedulerOptions>): Promise<number[]> {
  const ours = scheduler(tasksOf(2), { gainPerSecond: false, ...options });
  const { rounds } = await run(ours, (round) => programs(round.programs, 1), 14);
  return rounds.slice(2).map(({ task }) => task);
}

describe("the roof", () => {
  it("bounds what a task may gain, and a task ends only where hardly anything is left", async () => {
    assert.equal((await searched({ leastCosts: [0.5, 0.1] }))[0], 0, "a tenth is expected of both");
    const near = await searched({ leastCosts: [0.95, 0.1] });
    assert.equal(near[0], 1, "at most a twentieth is left of the other");
    assert.ok(near.includes(0), "which is worth a round later");
    assert.ok(!(await searched({ leastCosts: [0.995, 0.1] })).includes(0), "done");
    assert.ok(!(await searched({ leastCosts: [0.95, 0.1], roofMargin: 0.1 })).includes(0), "done by another margin");
  });

  it("bounds nothing once a program was faster", async () => {
    const ours = scheduler(tasksOf(2), { leastCosts: [0.95, 0.5] });
    // The second task's program is faster than can be: the first, near its bound, may gain as much as any.
    const { rounds } = await run(ours, ({ task, programs: count }) => programs(count, task === 0 ? 1 : 0.1), 3);
    assert.deepEqual(
      rounds.map(({ task }) => task),
      [0, 1, 0],
    );
  });
});

/** No program is better than another. */
const flat: Measure = ({ programs: count }) => programs(count, 0.001);

const oneNeverRuns: Measure = ({ task, programs: count }) =>
  task === 1 ? Array.from({ length: count }, () => ({ cost: null, origin: "random" })) : programs(count, 0.001);

describe("a job of which little is left to gain", () => {
  it("stops, and says what as many programs again are expected to gain", async () => {
    const { stopped } = await run(scheduler(tasksOf(2)), flat);
    assert.ok(stopped?.type === "little-left", JSON.stringify(stopped));
    assert.ok(stopped.expected < stopped.least && stopped.least === 0.001);
    assert.ok(stopped.trials > 160 && stopped.trials < 1000, String(stopped.trials));
    const { stopped: sooner } = await run(scheduler(tasksOf(2), { leastGain: 0.05 }), flat);
    assert.ok(sooner?.type === "little-left" && sooner.trials < stopped.trials);
  });

  it("goes on to its trials where any gain is worth it", async () => {
    const { stopped } = await run(scheduler(tasksOf(2), { leastGain: null, trials: 4000 }), flat);
    assert.deepEqual(stopped, { type: "trials-spent", trials: 4000 });
  });

  it("is none while gains come, be they rare", async () => {
    // What TVM's search gained on two convolutions, by programs, in ms: after 261 of 640 nothing before 584.
    const gains: readonly (readonly [number, number])[] = [
      [0, 9],
      [60, 8],
      [193, 7.5],
      [261, 7.22],
      [584, 7.144],
    ];
    const now = (before: number) => gains.findLast(([from]) => from <= before)?.[1] ?? 9;
    const hard: Measure = (round, before) => programs(round.programs, now(before));
    const { stopped } = await run(scheduler(tasksOf(2), { trials: 640 }), hard);
    assert.deepEqual(stopped, { type: "trials-spent", trials: 640 });
  });

  it("is one also where a task never ran, and where an objective is somebody's own", async () => {
    assert.equal((await run(scheduler(tasksOf(3)), oneNeverRuns)).stopped?.type, "little-left");
    const ofOwn = scheduler(tasksOf(2), { objective: ([a = 0, b = 0]) => Math.max(a, b) });
    assert.equal((await run(ofOwn, flat)).stopped?.type, "little-left");
  });

  it("is no share of anything: refused", () => {
    assert.throws(() => scheduler(tasksOf(1), { leastGain: -0.1 }), InvalidRequestError);
    assert.throws(() => scheduler(tasksOf(1), { roofMargin: 1 }), InvalidRequestError);
  });
});

describe("descent where a search has stalled", () => {
  it("begins after two rounds without a gain, and has a real share", async () => {
    const { rounds } = await run(scheduler(tasksOf(1)), (round) => given(round, {}), 5);
    assert.deepEqual(rounds.map(moves).slice(0, 3), [0, 0, 0]);
    assert.ok((rounds.map(moves)[3] ?? 0) >= 4, rounds.map(moves).join());
    const { rounds: without } = await run(
      scheduler(tasksOf(1), { stalledDescent: false }),
      (round) => given(round, {}),
      20,
    );
    assert.ok(without.every((round) => moves(round) === 0));
  });

  it("goes on while moves gain, and ends when evolution gains or no move is left", async () => {
    const ours = scheduler(tasksOf(1));
    let best = 1;
    const gain = (origin: Origin) => (round: FastSearch) => {
      best *= 0.9;
      return given(round, { sibling: 1, descent: 1, evolution: 1, random: 1, [origin]: best });
    };
    await run(ours, (round) => given(round, {}), 3);
    const descending = await run(ours, gain("descent"), 3);
    assert.ok(
      descending.rounds.every((round) => moves(round) > 0),
      "moves gain",
    );
    const evolved = await run(ours, gain("evolution"), 2);
    assert.deepEqual(
      evolved.rounds.map((round) => moves(round) > 0),
      [true, false],
    );

    const dry = scheduler(tasksOf(1));
    await run(dry, (round) => given(round, {}), 3);
    const { rounds } = await run(dry, (round) => programs(round.programs, 1, "evolution"), 4);
    assert.deepEqual(
      rounds.map((round) => moves(round) > 0),
      [true, false, false, true],
      "tried again later",
    );
  });
});

describe("the fast mode's outlook, roof and descent, on random jobs", () => {
  it("asked twice give one answer, search no dead task, and decide nothing where they are turned off", async () => {
    const ends = new Set<string>();
    for (let seed = 0; seed < 300; seed += 1) {
      const { options, measure } = randomJob(seed, 6);
      const draw = seededDraw(seed);
      const on = { longOutlook: draw(2) === 0, stalledDescent: draw(2) === 0, leastGain: draw(2) === 0 ? null : 0.02 };
      const leastCosts = options.tasks.map(() => (draw(2) === 0 ? null : 10 ** -(draw(70) / 10)));
      const ours = scheduler(options.tasks, { ...options, ...on, leastCosts, trials: 8 * options.trials });
      const dead = new Set<number>();
      for (;;) {
        const action = await ours.next();
        assert.deepEqual(await ours.next(), action);
        if (action.type === "stop") {
          assert.ok(on.leastGain !== null || action.reason.type !== "little-left", `seed ${seed}`);
          ends.add(action.reason.type);
          break;
        }
        const { task, recipe, reason } = action;
        assert.ok(!dead.has(task), `seed ${seed}: task ${task} is dead`);
        assert.ok(on.stalledDescent || recipe.programs.descent === 0, `seed ${seed}`);
        assert.ok(reason.type !== "expected-gain" || reason.rate >= 0, `seed ${seed}: ${JSON.stringify(reason)}`);
        const origins = (Object.keys(recipe.programs) as Origin[]).filter((origin) => recipe.programs[origin] > 0);
        const measured = measure(task, action.programs).map((cost, index) => ({
          cost,
          origin: origins[index % origins.length] ?? "evolution",
        }));
        const { died } = await ours.observe(measured, { seconds: 1 + draw(10), accuracy: draw(10) / 10 });
        if (died !== null) {
          dead.add(task);
        }
      }
    }
    assert.deepEqual([...ends].sort(), ["all-tasks-dead", "little-left", "no-improvement", "trials-spent"]);
  });
});
