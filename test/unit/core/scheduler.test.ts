import assert from "node:assert/strict";
import { planCostModels } from "../../../src/core/cost-models.js";
import { groupFamilies } from "../../../src/core/families.js";
import { scoreAllBy, weightedSum } from "../../../src/core/objective.js";
import { seededDraw } from "../../../src/core/random.js";
import type { SchedulerOptions } from "../../../src/core/reference/options.js";
import { Scheduler } from "../../../src/core/reference/scheduler.js";
import { defaultPolicy, parseSearchPolicy, searchPolicyNames } from "../../../src/core/search-policy.js";
import type { Task } from "../../../src/core/task.js";
import { InvalidObjectiveError, InvalidRequestError } from "../../../src/errors.js";
import { TUNERS } from "../../../src/tuner-name.js";

function task(coreOperation: string | null, weight = 1): Task {
  return {
    description: "fused_nn.dense_0",
    workloadKey: `["${"a".repeat(32)}", 1]`,
    structure: "a",
    weight,
    flops: 1e6,
    coreOperation,
    similarityTags: [],
  };
}

function scheduler(tasks: readonly Task[], options: Partial<SchedulerOptions> = {}): Scheduler {
  return new Scheduler({
    tasks,
    families: groupFamilies(tasks, "op"),
    scoreAll: scoreAllBy(weightedSum(tasks)),
    trials: 100,
    trialsPerRound: 4,
    draw: seededDraw(0),
    ...options,
  });
}

/** Measured programs, by their costs in seconds. */
function programs(...costs: (number | null)[]): { cost: number | null }[] {
  return costs.map((cost) => ({ cost }));
}

async function warmUp(of: Scheduler): Promise<void> {
  for (const cost of [0.004, 0.002, 0.001]) {
    const action = await of.next();
    assert.ok(action.type === "search" && action.reason.type === "warm-up");
    await of.observe(programs(cost, null));
  }
}

describe("scheduler", () => {
  const tasks = [task("nn.conv2d", 5), task("nn.conv2d"), task("nn.dense")];

  it("warms every task up first, then searches the steepest and foresees its sibling", async () => {
    const ours = scheduler(tasks);
    await warmUp(ours);
    const main = await ours.next();
    assert.ok(main.type === "search");
    assert.equal(main.task, 0);
    assert.equal(main.reason.type, "steepest");
    await ours.observe(programs(0.003));
    const foresee = await ours.next();
    assert.ok(foresee.type === "search" && foresee.reason.type === "foresee");
    assert.deepEqual([foresee.task, foresee.programs, foresee.reason.after], [1, 16, 0]);
    await ours.observe(programs(0.001));
    assert.deepEqual(ours.rounds, [2, 1, 1], "a foresee round is not one of the task's rounds");
  });

  it("says what will most likely follow a search still going on, and decides nothing by it", async () => {
    const [asked, unasked] = [scheduler(tasks), scheduler(tasks)];
    const costs = [[0.004], [0.002], [0.001], [0.004], [0.002], [0.004], [0.002]];
    let foretold = 0;
    let likely = await asked.likelyNext();
    assert.equal(likely, null, "nothing is going on yet");
    for (const measured of costs) {
      const action = await asked.next();
      assert.deepEqual(action, await unasked.next());
      assert.ok(action.type === "search");
      foretold += likely?.task === action.task && likely.programs === action.programs ? 1 : 0;
      likely = await asked.likelyNext();
      await asked.observe(programs(...measured));
      await unasked.observe(programs(...measured));
    }
    assert.equal(
      foretold,
      5,
      "all but the first, which nothing came before, and the one after warm-up, which is a tie",
    );
  });

  it("never foresees a dead sibling", async () => {
    const ours = scheduler(tasks);
    await ours.next();
    await ours.observe(programs(0.004));
    await ours.next();
    await ours.observe([]);
    await ours.next();
    await ours.observe(programs(0.001));
    for (let action = await ours.next(); action.type === "search"; action = await ours.next()) {
      assert.notEqual(action.task, 1);
      await ours.observe(programs(0.003));
    }
    assert.deepEqual(ours.deadTasks, [1]);
  });

  it("has no foresee rounds without families, or with foresee rounds of no programs", async () => {
    for (const ours of [scheduler(tasks, { families: null }), scheduler(tasks, { foreseeTrials: 0 })]) {
      await warmUp(ours);
      for (let action = await ours.next(); action.type === "search"; action = await ours.next()) {
        assert.notEqual(action.reason.type, "foresee");
        await ours.observe(programs(0.001, 0.001, 0.001, 0.001));
      }
      assert.ok(ours.trials >= 100);
    }
  });

  it("stops when no task is left, and when nothing improves", async () => {
    const exhausted = scheduler(tasks);
    for (let round = 0; round < 3; round += 1) {
      await exhausted.next();
      await exhausted.observe([]);
    }
    assert.deepEqual(await exhausted.next(), { type: "stop", reason: { type: "all-tasks-dead" } });

    const stuck = scheduler(tasks, { earlyStopping: 5 });
    await warmUp(stuck);
    let action = await stuck.next();
    while (action.type === "search") {
      await stuck.observe(programs(1, 1, 1, 1));
      action = await stuck.next();
    }
    assert.equal(action.reason.type, "no-improvement");
  });

  it("takes turns with round-robin, and still foresees", async () => {
    const ours = scheduler(tasks, { strategy: "round-robin", trials: 60 });
    await warmUp(ours);
    const order: string[] = [];
    for (let action = await ours.next(); action.type === "search"; action = await ours.next()) {
      order.push(`${action.reason.type} ${action.task}`);
      await ours.observe(programs(0.001));
    }
    assert.deepEqual(order.slice(0, 5), [
      "next-in-turn 0",
      "foresee 1",
      "next-in-turn 1",
      "foresee 0",
      "next-in-turn 2",
    ]);
  });

  it("takes over an earlier run and warms up only what was not measured", async () => {
    const measuredBefore = [0, 0, 0, 0, 2, 2, 2, 2].map((id) => ({ task: id, cost: 0.002 }));
    const ours = scheduler(tasks, { measuredBefore });
    const action = await ours.next();
    assert.ok(action.type === "search");
    assert.deepEqual([action.task, action.reason.type], [1, "warm-up"]);
    assert.deepEqual(ours.rounds, [1, 0, 1]);
  });

  it("gives the same action until it is observed, and the same run for the same seed", async () => {
    const ours = scheduler(tasks);
    assert.equal(await ours.next(), await ours.next());
    await ours.observe(programs(1));
    await assert.rejects(ours.observe(programs(1)), /call next\(\) first/);
    const draw = seededDraw(7);
    const again = seededDraw(7);
    assert.deepEqual(
      [1, 2, 3, 4].map(() => draw(100)),
      [1, 2, 3, 4].map(() => again(100)),
    );
  });

  it("refuses what no job can run with", async () => {
    assert.throws(() => scheduler(tasks, { trials: 2 }), /2 trials are too few.*3 trials or more/);
    assert.throws(() => scheduler([]), InvalidRequestError);
    assert.throws(() => scheduler(tasks, { alpha: 2 }), /alpha is 2/);
    const rising = scheduler(tasks, { scoreAll: scoreAllBy((costs) => -costs.reduce((a, b) => a + b, 0)) });
    await warmUp(rising);
    await assert.rejects(rising.next(), InvalidObjectiveError);
  });
});

describe("search policy names", () => {
  it("have two or three parts, of names that exist", async () => {
    assert.deepEqual(parseSearchPolicy("default"), {
      name: "default",
      search: "sketch",
      costModel: "xgb",
      families: null,
    });
    assert.equal(parseSearchPolicy("sketch.random.family_hash").families, "hash");
    for (const name of searchPolicyNames()) {
      parseSearchPolicy(name);
    }
    for (const name of [
      "",
      "sketch",
      "sketch.xgb.op",
      "sketch.xgb.family_",
      "a.xgb",
      "sketch.mlp",
      "sketch.xgb.family_op.x",
    ]) {
      assert.throws(
        () => parseSearchPolicy(name),
        (error: Error) => error.message.startsWith(`Invalid search policy: ${name}:`),
      );
    }
  });

  it("are a tuner's own: none of another tuner is taken", () => {
    assert.equal(defaultPolicy("ansor"), "sketch.xgb.family_op");
    assert.equal(defaultPolicy("metaschedule"), "meta.xgb.family_op");
    assert.equal(parseSearchPolicy("default", "metaschedule").search, "meta");
    for (const tuner of TUNERS) {
      for (const name of searchPolicyNames(tuner)) {
        parseSearchPolicy(name, tuner);
      }
    }
    assert.throws(
      () => parseSearchPolicy("meta.xgb", "ansor"),
      /"meta", is the search of MetaSchedule, and the tuner is Ansor/,
    );
    assert.throws(() => parseSearchPolicy("sketch.xgb", "metaschedule"), /names that exist are default, meta\.xgb,/);
  });
});

describe("families", () => {
  it("group by core operation, by hash, or each task its own", async () => {
    const mixed = [task("nn.conv2d"), task(null), task("nn.conv2d")];
    assert.deepEqual(
      [...groupFamilies(mixed, "op")],
      [
        ["nn.conv2d", [0, 2]],
        ["nn.dense", [1]],
      ],
    );
    assert.deepEqual([...groupFamilies(mixed, "hash")], [["a", [0, 1, 2]]]);
    assert.deepEqual([...groupFamilies(mixed, "ind").values()], [[0], [1], [2]]);
    assert.throws(() => groupFamilies([{ ...task(null), description: "dense" }], "op"), /no second word/);
  });

  it("each have a cost model that warms up for their tasks x programs per round", async () => {
    const families = groupFamilies([task("a"), task("b"), task("a")], "op");
    assert.deepEqual(
      planCostModels([0, 1, 2], families, "xgb", 8).map(({ name, warmUpRecords }) => [name, warmUpRecords]),
      [
        ["a", 16],
        ["b", 8],
      ],
    );
    assert.deepEqual(planCostModels([0, 1, 2], null, "xgb", 8)[0]?.tasks, [0, 1, 2]);
  });

  it("without families share one model, which warms up as the tuner's own", () => {
    const plans = TUNERS.flatMap((tuner) => planCostModels([0, 1, 2], null, "xgb", 8, tuner));
    assert.deepEqual(
      plans.map(({ warmUpRecords }) => warmUpRecords),
      [24, 100],
    );
  });
});
