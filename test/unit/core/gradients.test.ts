import assert from "node:assert/strict";
import { scoreAllBy, weightedSum } from "../../../src/core/objective.js";
import { seededDraw } from "../../../src/core/random.js";
import { OrderedSum } from "../../../src/core/reference/ordered-sum.js";
import { RangeMinimum } from "../../../src/core/reference/range-minimum.js";
import { Scheduler } from "../../../src/core/reference/scheduler.js";
import { randomJob } from "./random-job.js";

describe("a scheduler for the weighted sum", () => {
  for (const [taskCount, jobs] of [
    [2, 100],
    [7, 100],
    [60, 20],
    [200, 4],
  ] as const) {
    it(`decides as one that asks the objective for every gradient (${taskCount} tasks)`, async () => {
      for (let seed = 0; seed < jobs; seed += 1) {
        const { options, measure } = randomJob(seed, taskCount);
        const scoreAll = scoreAllBy(weightedSum(options.tasks));
        const kept = new Scheduler({ ...options, draw: seededDraw(seed) });
        const asking = new Scheduler({ ...options, scoreAll, draw: seededDraw(seed) });
        for (let action = await kept.next(); action.type === "search"; action = await kept.next()) {
          assert.deepEqual(action, await asking.next(), `seed ${seed}`);
          assert.deepEqual(await kept.likelyNext(), await asking.likelyNext(), `seed ${seed}`);
          const measured = measure(action.task, action.programs).map((cost) => ({ cost }));
          assert.deepEqual(await kept.observe(measured), await asking.observe(measured), `seed ${seed}`);
        }
        assert.deepEqual(await kept.next(), await asking.next(), `seed ${seed}`);
        assert.deepEqual(kept.unlikeTasks, asking.unlikeTasks);
      }
    }).timeout(60_000);
  }
});

describe("a sum in order", () => {
  it("is the plain sum to the last bit, whatever the terms", () => {
    const draw = seededDraw(1);
    const kinds: (() => number)[] = [
      () => draw(2 ** 30) / 2 ** 33,
      () => 1 + draw(16),
      () => draw(8) / 2 ** draw(60),
      () => (draw(20) === 0 ? 1e10 : 1e-3 * draw(2 ** 30)),
      () => 2 ** (draw(120) - 60),
      () => draw(2 ** 30) / 2 ** 30 - 0.1,
      () => [0, -0, 5e-324, 1e308, Number.POSITIVE_INFINITY][draw(draw(50) === 0 ? 5 : 3)] ?? 0,
    ];
    for (let repeat = 0; repeat < 400; repeat += 1) {
      const kind = kinds[repeat % kinds.length] ?? Number;
      const terms = Array.from({ length: 1 + draw(200) }, kind);
      const sum = new OrderedSum(terms);
      for (let step = 0; step < 50; step += 1) {
        const [index, term] = [draw(terms.length), draw(3) === 0 ? -1e-4 : kind()];
        assert.equal(sum.totalWith(index, term), plainSum(terms.with(index, term)));
        if (step % 2 === 0) {
          terms[index] = term === -1e-4 ? 0.5 : term;
          sum.set(index, terms[index]);
        }
        assert.equal(sum.total(), plainSum(terms));
      }
    }
  });
});

describe("least keys of a range", () => {
  it("are found after any changes", () => {
    const draw = seededDraw(2);
    for (let repeat = 0; repeat < 50; repeat += 1) {
      const keys = Array.from({ length: 1 + draw(40) }, () => Number.POSITIVE_INFINITY);
      const minimum = new RangeMinimum(keys.length);
      for (let step = 0; step < 40; step += 1) {
        const position = draw(keys.length);
        const key = draw(10) === 0 ? Number.NEGATIVE_INFINITY : -draw(20);
        keys[position] = key;
        minimum.set(position, key);
        const from = draw(keys.length);
        const to = from + draw(keys.length - from + 1);
        assert.equal(minimum.least(from, to), Math.min(...keys.slice(from, to)));
        const expected = [...keys.keys()].filter((i) => i >= from && i < to && (keys[i] ?? 0) <= -10);
        assert.deepEqual(minimum.upTo(-10, from, to), expected);
      }
    }
  });
});

function plainSum(terms: readonly number[]): number {
  return terms.reduce((sum, term) => sum + term, 0);
}
