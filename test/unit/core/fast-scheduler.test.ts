import assert from "node:assert/strict";
import type { FastAction, FastSearch } from "../../../src/core/decider.js";
import { EVOLUTIONS, EVOLUTIONS_BY_ROUND, type Evolutions } from "../../../src/core/fast/evolutions.js";
import type { FastScheduler } from "../../../src/core/fast/fast-scheduler.js";
import { Likeness } from "../../../src/core/fast/likeness.js";
import { OriginShares } from "../../../src/core/fast/origin-shares.js";
import type { Origin, Recipe } from "../../../src/core/fast/recipe.js";
import { weightedSum } from "../../../src/core/objective.js";
import { seededDraw } from "../../../src/core/random.js";
import type { Task } from "../../../src/core/task.js";
import { InvalidRequestError } from "../../../src/errors.js";
import { fastScheduler } from "./fast-job.js";
import { randomJob } from "./random-job.js";

function task(coreOperation: string, weight = 1, flops = 1e6, dag = "a", tiledStage = ""): Task {
  return {
    description: "",
    workloadKey: `["${dag.repeat(32)}", 1]`,
    structure: dag,
    tiledStage,
    weight,
    flops,
    coreOperation,
    similarityTags: [],
  };
}

const CONVS_AND_DENSE = [task("nn.conv2d"), task("nn.conv2d", 5), task("nn.conv2d", 2), task("nn.dense")];
const SECOND = { seconds: 1, accuracy: null };

async function search(of: FastScheduler): Promise<FastSearch> {
  const action: FastAction = await of.next();
  assert.ok(action.type === "search");
  return action;
}

/** The recipes of the rounds after a first look, after each of which the model had so many of the pairs in order. */
async function recipesWith(
  evolutions: Evolutions,
  accuracies: readonly (number | null)[],
  judgeByEarlier = true,
): Promise<Recipe[]> {
  const ours = fastScheduler(CONVS_AND_DENSE.slice(0, 1), { evolutions, judgeByEarlier });
  const recipes = [];
  for (const accuracy of accuracies) {
    const { programs } = await search(ours);
    const measured = Array.from({ length: programs }, () => ({ cost: 1, origin: "random" }) as const);
    await ours.observe(measured, { seconds: 1, accuracy });
    recipes.push((await search(ours)).recipe);
  }
  return recipes;
}

/** Does a round in which every program takes that long. */
async function round(of: FastScheduler, seconds: number, origin: Origin = "random"): Promise<FastSearch> {
  const action = await search(of);
  await of.observe(
    Array.from({ length: action.programs }, () => ({ cost: seconds, origin })),
    SECOND,
  );
  return action;
}

/** Looks at every task; task i takes i + 1 ms. */
async function lookAtAll(of: FastScheduler, tasks: readonly Task[]): Promise<FastSearch[]> {
  const looks: FastSearch[] = [];
  for (const _ of tasks) {
    const action = await search(of);
    looks.push(await round(of, (action.task + 1) / 1000));
  }
  return looks;
}

describe("fast scheduler", () => {
  it("looks at every task once, at the one with most work of each family first and longest", async () => {
    const looks = await lookAtAll(fastScheduler(CONVS_AND_DENSE, { sizedLooks: false }), CONVS_AND_DENSE);
    assert.deepEqual(
      looks.map((each) => [each.task, each.programs]),
      [
        [1, 16],
        [2, 4],
        [0, 4],
        [3, 16],
      ],
    );
    assert.deepEqual(looks[0]?.recipe.programs, { earlier: 0, sibling: 0, descent: 0, evolution: 0, random: 16 });
    assert.deepEqual(looks[1]?.recipe.programs, { earlier: 0, sibling: 3, descent: 0, evolution: 0, random: 1 });
    assert.deepEqual(looks[1]?.recipe.donors, [1]);
  });

  it("begins with earlier jobs' schedules where there are some, but never with them alone", async () => {
    const ours = fastScheduler([...CONVS_AND_DENSE.slice(0, 3), task("nn.dense", 0.1)], {
      sizedLooks: false,
      carriedOver: ["nn.conv2d"],
    });
    const look = async (earlier: number, others: number) => {
      const { programs, recipe } = await search(ours);
      const measured = Array.from({ length: programs }, (_, place) =>
        place < recipe.programs.earlier
          ? ({ cost: earlier, origin: "earlier" } as const)
          : ({ cost: others, origin: "random" } as const),
      );
      await ours.observe(measured, SECOND);
      return recipe.programs;
    };
    assert.deepEqual(await look(1, 2), { earlier: 6, sibling: 0, descent: 0, evolution: 0, random: 2 });
    // What had the best of the family is tried first in its next task.
    assert.deepEqual(await look(3, 2), { earlier: 2, sibling: 1, descent: 0, evolution: 0, random: 1 });
    await look(3, 2);
    assert.deepEqual(
      await look(1, 1),
      { earlier: 0, sibling: 0, descent: 0, evolution: 0, random: 16 },
      "a dense layer",
    );
    const { reason, recipe } = await search(ours);
    assert.equal(reason.type, "expected-gain");
    assert.ok(recipe.programs.earlier > 0 && recipe.programs.evolution >= 3, JSON.stringify(recipe.programs));
  });

  it("gives earlier jobs' schedules that gain nothing hardly more than a program of a round", async () => {
    const ours = fastScheduler(CONVS_AND_DENSE.slice(0, 3), { sizedLooks: false, carriedOver: ["nn.conv2d"] });
    let tried = 0;
    for (let index = 0; index < 12; index += 1) {
      const { programs, recipe } = await search(ours);
      tried += recipe.programs.earlier;
      const measured = Array.from({ length: programs }, (_, place) =>
        place < recipe.programs.earlier
          ? ({ cost: 9, origin: "earlier" } as const)
          : ({ cost: 1 / (1 + index), origin: "evolution" } as const),
      );
      await ours.observe(measured, SECOND);
    }
    assert.ok(tried <= 6 + 11, `${tried} programs, 6 of them of the first look, in 12 rounds`);
    assert.ok((await search(ours)).recipe.programs.earlier <= 1);
  });

  it("looks at fewer programs of what has less work, and at one random one at least", async () => {
    const tasks = [
      task("nn.conv2d", 1, 1e6),
      task("nn.conv2d", 8, 1e8),
      task("nn.dense", 1, 1e8),
      task("nn.softmax", 1, 1e3),
    ];
    const sizes = async (leastCosts: readonly (number | null)[]) => {
      const looks = await lookAtAll(fastScheduler(tasks, { leastCosts }), tasks);
      return looks.map(({ task: id, programs, recipe }) => [id, programs, recipe.programs.sibling]);
    };
    const byFlops = [
      [1, 16, 0],
      [0, 2, 1],
      [2, 11, 0],
      [3, 4, 0],
    ];
    assert.deepEqual(await sizes([]), byFlops);
    assert.deepEqual(await sizes([1, 1, null, 1]), byFlops, "bounds count where every task has one");
    assert.deepEqual(
      (await sizes([1, 1, 0, 9])).map(([, programs]) => programs),
      [16, 2, 4, 16],
    );
  });

  it("then searches where most is expected per second", async () => {
    const ours = fastScheduler(CONVS_AND_DENSE);
    await lookAtAll(ours, CONVS_AND_DENSE);
    const first = await round(ours, 1);
    assert.equal(first.task, 1, "five times two milliseconds");
    assert.ok(first.reason.type === "expected-gain" && first.reason.rate > (first.reason.next ?? 0));
    const next: number[] = [];
    for (let count = 0; count < 10; count += 1) {
      next.push((await round(ours, 1)).task);
    }
    assert.deepEqual(
      [1, 2, 3].map((id) => next.includes(id)),
      [true, true, true],
      `nothing was gained on it: ${next.join()}`,
    );
  });

  it("says what will most likely follow on some tasks, where that does not depend on the pending round", async () => {
    const ours = fastScheduler(CONVS_AND_DENSE, { trials: 100 });
    const likely = async (...among: number[]) => (await ours.likelyNext((id) => among.includes(id)))?.task ?? null;
    assert.equal((await search(ours)).task, 1);
    assert.deepEqual([await likely(0, 1, 2), await likely(3)], [null, 3], "its siblings wait for its schedules");
    await round(ours, 0.001);
    await search(ours);
    assert.deepEqual([await likely(0, 1, 2), await likely(3)], [0, 3]);
    await lookAtAll(ours, CONVS_AND_DENSE.slice(1));
    const { task } = await search(ours);
    assert.equal(await likely(task), null);
    const next = await likely(0, 1, 2, 3);
    assert.ok(next !== null && next !== task);
    assert.equal((await round(ours, 1)).task, task, "nothing was decided by asking");
    while (ours.trials < 100 - 8) {
      await round(ours, 1);
    }
    await search(ours);
    assert.equal(await likely(0, 1, 2, 3), null, "none follows the last");
  });

  it("makes the evolution as large as the family's model has lastingly proved to be worth", async () => {
    const good = [null, 0.8, 0.8, 0.8, 0.8, 0.8];
    const recipes = await recipesWith(EVOLUTIONS.ansor, good);
    const keys = ["donors", "draft", "generations", "population", "programs"];
    assert.ok(recipes.every((recipe) => Object.keys(recipe).sort().join() === keys.join()));
    const sizes = recipes.map(({ population }) => population);
    assert.equal(sizes[0], 64, "before it has ordered any");
    assert.ok((sizes[1] ?? 0) < 256, "one good round is luck");
    assert.equal(sizes.at(-1), 256);
    assert.deepEqual(
      sizes,
      sizes.toSorted((a, b) => a - b),
    );
    const byChance = await recipesWith(EVOLUTIONS.ansor, [0.5, 0.5, 0.5, 0.4, 0.5]);
    assert.ok(byChance.every(({ population }) => population === 64));
    const ofMetaSchedule = await recipesWith(EVOLUTIONS.metaschedule, good);
    assert.deepEqual([ofMetaSchedule[0]?.population, ofMetaSchedule[0]?.generations], [64, 1]);
    assert.deepEqual([ofMetaSchedule.at(-1)?.population, ofMetaSchedule.at(-1)?.generations], [128, 2]);
  });

  it("goes by the last rounds alone where a model is not judged by earlier programs", async () => {
    const recipes = await recipesWith(EVOLUTIONS_BY_ROUND.ansor, [null, 0.9, 0.4], false);
    assert.deepEqual(
      recipes.map(({ population }) => population),
      [64, 512, 128],
    );
  });

  it("prefers of equal gains the task whose programs take less time", async () => {
    const tasks = [task("nn.conv2d"), task("nn.dense")];
    const choose = async (gainPerSecond: boolean) => {
      const ours = fastScheduler(tasks, { gainPerSecond });
      for (const seconds of [10, 1]) {
        const { programs } = await search(ours);
        const cost = seconds === 10 ? 0.0011 : 0.001;
        await ours.observe(
          Array.from({ length: programs }, () => ({ cost, origin: "random" })),
          {
            seconds,
            accuracy: null,
          },
        );
      }
      return (await search(ours)).task;
    };
    assert.equal(await choose(true), 1);
    assert.equal(await choose(false), 0);
  });

  it("gives a foresee round to the sibling that a better schedule is expected to help most", async () => {
    const asked: (readonly number[])[] = [];
    const ours = fastScheduler(CONVS_AND_DENSE, {
      expectGains: async (after, siblings) => {
        asked.push([after, ...siblings]);
        return siblings.map((id) => (id === 2 ? 1 : 0));
      },
    });
    await lookAtAll(ours, CONVS_AND_DENSE);
    const { programs } = await search(ours);
    const better = { cost: 0.001, origin: "descent" } as const;
    await ours.observe(
      Array.from({ length: programs }, () => better),
      { seconds: 1, accuracy: 1 },
    );
    const foresee = await search(ours);
    assert.deepEqual(asked.at(-1), [1, 0, 2]);
    assert.ok(foresee.reason.type === "expected-of-schedules");
    assert.deepEqual([foresee.task, foresee.programs, foresee.reason.after], [2, 2, 1]);
    assert.deepEqual(foresee.recipe.donors, [1]);
  });

  it("never searches a dead task again, not even by a foresee round that was due when it died", async () => {
    let diedWhileDue = 0;
    for (let seed = 0; seed < 1000; seed += 1) {
      const { options, measure } = randomJob(seed, 8);
      const draw = seededDraw(seed);
      /** The siblings that the last improvement promised a foresee round. */
      let due = new Set<number>();
      const ours = fastScheduler(options.tasks, {
        ...options,
        families: new Map([["all", [...options.tasks.keys()]]]),
        trials: 4 * options.trials,
        taskEarlyStopping: 1 + draw(4 * options.trialsPerRound),
        expectGains: async (_task, siblings) => {
          const gains = siblings.map(() => (draw(4) === 0 ? 0 : 0.03 * Math.exp(draw(400) / 100)));
          due = new Set(siblings.filter((_, index) => (gains[index] ?? 0) > 0));
          return gains;
        },
      });
      // Tasks that improve seldom and end often.
      const measured = (searched: number, programs: number, foreseen: boolean) => {
        if (!foreseen && draw(5) === 0) {
          return [];
        }
        return draw(3) === 0 ? measure(searched, programs) : Array.from({ length: programs }, () => null);
      };
      const dead = new Set<number>();
      for (let action = await ours.next(); action.type === "search"; action = await ours.next()) {
        const { task: searched, programs, reason } = action;
        assert.ok(!dead.has(searched), `seed ${seed}: task ${searched} is dead`);
        const likely = await ours.likelyNext();
        assert.ok(likely === null || !dead.has(likely.task), `seed ${seed}: task ${likely?.task} is dead, too`);
        const foreseen = reason.type === "expected-of-schedules";
        if (foreseen) {
          due.delete(searched);
        }
        const { died } = await ours.observe(
          measured(searched, programs, foreseen).map((cost) => ({ cost, origin: "evolution" })),
          { seconds: 1 + draw(10), accuracy: 1 },
        );
        if (died !== null) {
          dead.add(searched);
          diedWhileDue += due.has(searched) ? 1 : 0;
        }
      }
    }
    assert.ok(diedWhileDue > 20, `${diedWhileDue} tasks died while a foresee round of theirs was due`);
  });

  it("goes on with a task of which no program ran, with more each time, then gives it up", async () => {
    const ours = fastScheduler([task("nn.dense"), task("nn.conv2d"), task("nn.softmax")], { trialsPerRound: 2 });
    await round(ours, 1);
    const sizes: number[] = [];
    const scores: (number | null)[] = [];
    for (;;) {
      const action = await search(ours);
      if (action.task !== 1) {
        break;
      }
      sizes.push(action.programs);
      const { score } = await ours.observe(
        Array.from({ length: action.programs }, () => ({ cost: null, origin: "random" })),
        SECOND,
      );
      scores.push(score);
    }
    assert.deepEqual(sizes, [4, 8, 16, 32]);
    assert.deepEqual(scores, [null, null, null, null], "no sum with a cost that stands for none");
    await round(ours, 1);
    assert.notEqual((await search(ours)).task, 1);
  });

  it("looks at every task once, before at any again, where no program of any ran", async () => {
    const ours = fastScheduler([task("nn.dense"), task("nn.conv2d"), task("nn.softmax")], { trialsPerRound: 2 });
    const looks: [task: number, programs: number][] = [];
    while (looks.length < 4) {
      const { task: id, programs } = await search(ours);
      looks.push([id, programs]);
      await ours.observe(
        Array.from({ length: programs }, () => ({ cost: null, origin: "random" })),
        SECOND,
      );
    }
    assert.deepEqual(looks, [
      [0, 4],
      [1, 4],
      [2, 4],
      [0, 8],
    ]);
  });

  it("stops a task that is as fast as the machine can be, a job that no longer improves, and at its trials", async () => {
    const tasks = [task("nn.dense"), task("nn.conv2d")];
    const atTheRoof = fastScheduler(tasks, { leastCosts: [0.001, 0.002] });
    await lookAtAll(atTheRoof, tasks.slice(1));
    const { programs } = await search(atTheRoof);
    const last = await atTheRoof.observe(
      Array.from({ length: programs }, () => ({ cost: 0.002, origin: "random" })),
      SECOND,
    );
    assert.equal(last.died, "at-the-roof");
    assert.deepEqual(await atTheRoof.next(), { type: "stop", reason: { type: "all-tasks-dead" } });

    const provenWrong = fastScheduler(tasks, { leastCosts: [0.003, 0.002] });
    for (const id of tasks.keys()) {
      assert.equal((await search(provenWrong)).task, id);
      assert.equal((await provenWrong.observe([{ cost: 0.002, origin: "random" }], SECOND)).died, null);
    }

    const unimproved = fastScheduler(tasks, { earlyStopping: 16 });
    await lookAtAll(unimproved, tasks);
    await round(unimproved, 1);
    await round(unimproved, 1);
    assert.deepEqual(await unimproved.next(), { type: "stop", reason: { type: "no-improvement", trials: 16 } });

    const short = fastScheduler(tasks, { trials: 32, trialsPerRound: 8 });
    await lookAtAll(short, tasks);
    assert.deepEqual(await short.next(), { type: "stop", reason: { type: "trials-spent", trials: 32 } });
  });

  it("gives no task up by programs that were all disturbed, unless the round before it was such, too", async () => {
    const [one] = CONVS_AND_DENSE;
    assert.ok(one);
    const ends = async (...disturbedRounds: readonly boolean[]) => {
      const ours = fastScheduler([one], { taskEarlyStopping: 7 });
      await round(ours, 1);
      const died = [];
      for (const disturbed of disturbedRounds) {
        const { programs } = await search(ours);
        const measured = Array.from({ length: programs }, () => ({ cost: 2, origin: "random", disturbed }) as const);
        died.push((await ours.observe(measured, SECOND)).died);
      }
      return died;
    };
    assert.deepEqual(await ends(false), ["unimproved"]);
    assert.deepEqual(await ends(true, false), [null, "unimproved"]);
    assert.deepEqual(await ends(true, true), [null, "unimproved"]);
  });

  it("decides alike by the sum of costs and by the same sum as somebody's objective", async () => {
    const jobs = [null, weightedSum(CONVS_AND_DENSE)].map((objective) => fastScheduler(CONVS_AND_DENSE, { objective }));
    const [decided, again] = await Promise.all(
      jobs.map(async (job) => {
        const draw = seededDraw(1);
        const tasks: number[] = [];
        for (let count = 0; count < 40; count += 1) {
          tasks.push((await round(job, (1 + draw(1000)) / 1e5)).task);
        }
        return tasks;
      }),
    );
    assert.deepEqual(decided, again);
  });

  it("looks at a family's first task with no more programs than it is told", async () => {
    const sizes = [{ trialsPerRound: 32 }, { trialsPerRound: 32, firstLook: 32 }, { trialsPerRound: 4, firstLook: 16 }];
    const looks = await Promise.all(sizes.map((options) => search(fastScheduler(CONVS_AND_DENSE, options))));
    assert.deepEqual(
      looks.map(({ programs }) => programs),
      [64, 32, 8],
    );
  });

  it("takes over earlier records, and says what is wrong with options", async () => {
    const ours = fastScheduler(CONVS_AND_DENSE, {
      measuredBefore: CONVS_AND_DENSE.map((_, id) => ({ task: id, cost: 1 })),
    });
    assert.ok(Math.abs(ours.score - 9) < 1e-9);
    assert.equal((await search(ours)).reason.type, "expected-gain");
    assert.throws(() => fastScheduler(CONVS_AND_DENSE, { trials: 3 }), InvalidRequestError);
    assert.throws(() => fastScheduler(CONVS_AND_DENSE, { trialsPerRound: 0 }), InvalidRequestError);
    assert.throws(() => fastScheduler(CONVS_AND_DENSE, { earlyStopping: -1 }), InvalidRequestError);
    assert.throws(() => fastScheduler([]), InvalidRequestError);
  });
});

describe("origins", () => {
  it("share a round by what their programs gained, a few always evolution's", () => {
    const shares = new OriginShares();
    assert.deepEqual(shares.share(8, ["descent", "sibling", "evolution"]), {
      earlier: 0,
      sibling: 2,
      descent: 3,
      evolution: 3,
      random: 0,
    });
    assert.deepEqual(shares.share(2, ["sibling", "evolution"]).evolution, 2);
    shares.observe(1, [
      { origin: "descent", cost: 1 },
      ...Array.from({ length: 20 }, () => ({ origin: "sibling", cost: null }) as const),
    ]);
    shares.observe(1, [{ origin: "evolution", cost: 0.5 }]);
    const after = shares.share(8, ["descent", "sibling", "evolution"]);
    assert.ok(after.evolution > after.descent && after.descent > after.sibling, JSON.stringify(after));
    assert.deepEqual(shares.share(4, ["evolution"]).evolution, 4);
  });
});

describe("sharing across compute DAGs", () => {
  const tasks = [task("nn.conv2d", 9), task("nn.conv2d", 3, 1e6, "b"), task("nn.conv2d", 1)];

  it("lets tasks of other DAGs give their schedules unless it is turned off", async () => {
    for (const [shareAcross, donors] of [
      [true, [[], [0], [0, 1]]],
      [false, [[], [], [0]]],
    ] as const) {
      const looks = await lookAtAll(fastScheduler(tasks, { shareAcross }), tasks);
      assert.deepEqual(
        looks.map(({ recipe }) => recipe.donors),
        donors,
      );
    }
  });
});

describe("likeness", () => {
  it("puts tasks of the same compute DAG first, then the nearest by FLOPs", () => {
    const tasks = [task("x", 1, 1e6, "b"), task("x", 1, 9e6), task("x", 1, 1e6), task("x", 1, 2e6), task("x", 1, 30e6)];
    const likeness = new Likeness([0, 1, 2, 3, 4], tasks, null);
    assert.deepEqual([...likeness.near(3)], [2, 1, 4, 0]);
    assert.deepEqual([...likeness.near(0)], [4, 1, 3, 2]);
    assert.deepEqual([...new Likeness([0, 1, 2, 3, 4], tasks).near(0)], [2, 3, 1, 4]);
  });

  it("puts tasks of other compute DAGs that tile the same next, then the rest", () => {
    const tasks = [
      task("x", 1, 4e6, "a", "1x1"),
      task("x", 1, 4e6, "c", "3x3"),
      task("x", 1, 2e6, "b", "1x1"),
      task("x", 1, 5e6, "c", "1x1"),
      task("x", 1, 90e6, "a", "1x1"),
      task("x", 1, 3e6, "a", "3x3"),
    ];
    const members = [...tasks.keys()];
    assert.deepEqual([...new Likeness(members, tasks).near(0)], [4, 3, 2, 5, 1]);
    assert.deepEqual([...new Likeness(members, tasks, false).near(0)], [4, 5]);
    // The order of other DAGs' hashes, from the task's own downwards, then upwards.
    assert.deepEqual([...new Likeness(members, tasks, null).near(3)], [1, 2, 4, 0, 5]);
  });

  it("finds the nearest in a few steps, however many are alike", () => {
    const tasks = Array.from({ length: 20_000 }, (_, id) => task("x", 1, 1e6 + id, `${id % 5000}`, `${id % 3}`));
    const reads = { count: 0 };
    const counted = new Proxy(tasks, {
      get(target, key) {
        reads.count += 1;
        return Reflect.get(target, key);
      },
    });
    const likeness = new Likeness([...tasks.keys()], counted);
    reads.count = 0;
    const near: number[] = [];
    for (const other of likeness.near(10_000)) {
      near.push(other);
      if (near.length === 32) {
        break;
      }
    }
    assert.equal(new Set(near).size, 32);
    assert.ok(reads.count < 1000, `${reads.count}`);
  });
});
