import assert from "node:assert/strict";
import {
  afterDecrease,
  bestSoFar,
  type Curve,
  endOf,
  secondsTo,
  secondsToForGood,
  speedUp,
  within,
} from "../../../src/experiments/time-to-latency.js";

describe("time to a latency", () => {
  const reference: Curve = [
    [10, 200],
    [20, 104],
    [30, 110],
    [40, 100],
  ];

  it("is from when on a curve is within some per cent of the other's end, first and for good", () => {
    assert.equal(within(reference, 5), 105);
    assert.equal(secondsTo(reference, 105), 20);
    assert.equal(secondsToForGood(reference, 105), 40);
    assert.equal(secondsTo(reference, 100), 40);
    assert.equal(secondsToForGood(reference, 200), 10);
  });

  it("is null where the curve never gets there, or leaves again", () => {
    assert.equal(secondsTo(reference, 99), null);
    assert.equal(secondsToForGood([...reference, [50, 101]], 100), null);
    assert.equal(secondsTo([], 1e9), null);
    assert.equal(secondsToForGood([], 1e9), null);
    assert.equal(endOf([]), Number.POSITIVE_INFINITY);
  });

  it("is the same first and for good once a curve counts the best so far", () => {
    const best = bestSoFar([...reference, [50, 101]]);
    assert.deepEqual(
      best.map(([, ms]) => ms),
      [200, 104, 104, 100, 100],
    );
    assert.equal(secondsTo(best, 104), secondsToForGood(best, 104));
  });

  it("counts a share of the decrease from the first point on", () => {
    assert.equal(afterDecrease(reference, 80), 120);
    assert.equal(afterDecrease(reference, 100), endOf(reference));
  });

  it("gives a speed-up above 1 to the faster, and none to who never arrives", () => {
    const fast: Curve = [
      [5, 150],
      [8, 104],
    ];
    assert.equal(speedUp(fast, reference, 105), 2.5);
    assert.equal(speedUp(reference, fast, 105), 0.4);
    assert.equal(speedUp(fast, reference, 100), null);
  });
});
