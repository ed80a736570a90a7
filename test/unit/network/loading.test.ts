import assert from "node:assert/strict";
import { describeLoaded } from "../../../src/network/loading.js";
import type { SkipReason } from "../../../src/protocol/skip-reasons.js";

const told = (...costs: (number | null)[]) => {
  const records = costs.map((cost, task) => ({ task, cost }));
  return describeLoaded({ log: "t.log", from: 0, to: null, records, skipped: [], matched: 0 }, 4, "llvm")[0];
};

const only = (reason: SkipReason, of: string) => () => {
  const skipped = [{ reason, of, count: 3, lines: [1, 2, 3] }];
  describeLoaded({ log: "t.log", from: 0, to: null, records: [], skipped, matched: 0 }, 4, "llvm");
};

describe("what is told of a log", () => {
  it("counts tasks by the programs that ran", () => {
    assert.equal(told(1e-3, 2e-3), "2 records of t.log cover 2 of 4 tasks");
    assert.equal(
      told(1e-3, null, null),
      "3 records of t.log cover 1 of 4 tasks; 2 of them are of programs that failed",
    );
  });

  it("refuses one of other targets alone, and says what to do of those that could run here", () => {
    assert.throws(
      only("other-target", "llvm -mcpu=$&"),
      /^InvalidRequestError: t\.log has no record for the target llvm, but 3 for the target llvm -mcpu=\$&\. .*--accept-other-targets/,
    );
    assert.throws(
      only("other-device", "cuda"),
      /but 3 for the target cuda, another kind of device\. A GPU cannot run a CPU's programs/,
    );
  });
});
