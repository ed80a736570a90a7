import assert from "node:assert/strict";
import { describeLoaded } from "../../../src/network/loading.js";

const told = (...costs: (number | null)[]) => {
  const records = costs.map((cost, task) => ({ task, cost }));
  return describeLoaded({ log: "t.log", from: 0, to: null, records, skipped: [], matched: 0 }, 4, "llvm")[0];
};

describe("what is told of a log", () => {
  it("counts tasks by the programs that ran", () => {
    assert.equal(told(1e-3, 2e-3), "2 records of t.log cover 2 of 4 tasks");
    assert.equal(
      told(1e-3, null, null),
      "3 records of t.log cover 1 of 4 tasks; 2 of them are of programs that failed",
    );
  });
});
