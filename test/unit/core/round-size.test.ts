import assert from "node:assert/strict";
import { roundSizes } from "../../../src/core/fast/round-size.js";

function programs(builders: number, devices = 1): number {
  return roundSizes({ builders, devices }).trialsPerRound;
}

describe("a round of the fast mode", () => {
  it("has as many programs as are built at once, or the least multiple of that with eight", () => {
    assert.deepEqual(
      [1, 2, 3, 4, 6, 8, 12, 16, 31].map((builders) => programs(builders)),
      [8, 8, 9, 8, 12, 8, 12, 16, 31],
    );
  });

  it("has one for each device at least", () => {
    assert.deepEqual([programs(2, 4), programs(4, 12), programs(16, 8)], [8, 12, 16]);
  });

  it("is never so large that the search learns too seldom", () => {
    assert.deepEqual([programs(32), programs(33), programs(256), programs(8, 64)], [32, 32, 32, 32]);
  });

  it("is no larger than a budget pays two of a task for, nor smaller than eight for its sake", () => {
    const sizes = [10, 24, 29, 1000].map((trials) => roundSizes({ builders: 16, devices: 1 }, trials).trialsPerRound);
    assert.deepEqual(sizes, [8, 12, 14, 16]);
  });

  it("takes along foresee rounds of half its size, and a first look that is enough for a model", () => {
    assert.deepEqual(roundSizes({ builders: 2, devices: 1 }), { trialsPerRound: 8, foreseeTrials: 4, firstLook: 16 });
    assert.deepEqual(roundSizes({ builders: 24, devices: 1 }), {
      trialsPerRound: 24,
      foreseeTrials: 12,
      firstLook: 24,
    });
  });
});
