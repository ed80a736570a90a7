import assert from "node:assert/strict";
import { describeEnd, describeReason, describeStop, ms, table } from "../../../src/report/format.js";
import { wrapped } from "../../../src/report/text.js";

describe("what people read", () => {
  it("counts an expected gain by what it was expected per: a second, or a program", () => {
    const reason = { type: "expected-gain", rate: 12e-6, next: 3e-6 } as const;
    assert.equal(describeReason({ ...reason, per: "second" }), "12 us/s expected, next best 3.0 us/s");
    assert.equal(describeReason({ ...reason, per: "program" }), "12 us/program expected, next best 3.0 us/program");
    const foreseen = { type: "expected-of-schedules", family: "f", after: 1, gain: 0.5, rate: 2e-6 } as const;
    assert.match(describeReason({ ...foreseen, per: "program" }), /, 2\.0 us\/program$/);
  });

  it("says with its figures that little was left to gain, when a job ends and of its journal", () => {
    const reason = { type: "little-left", trials: 480, expected: 0.00042, least: 0.001 } as const;
    const words =
      "little is left to gain: as many programs again as the 480 measured are expected to take 0.042 % off, and 0.10 % is " +
      "the least worth it (--least-gain)";
    assert.deepEqual([describeStop(reason), describeEnd(reason)], [words, words]);
  });

  it("has milliseconds of the fastest programs in two figures, never as zeros", () => {
    assert.deepEqual([2.5, 1e-3, 2e-4, 4.2e-8, 3e-11].map(ms), ["2500.000", "1.000", "0.2000", "0.000042", "3.0e-8"]);
    assert.equal(ms(null), "-");
  });

  it("breaks a line between words, and within one only where it is wider than all there is", () => {
    assert.equal(wrapped("round 3: task 2 stays", 14), "round 3:\n    task 2\n    stays");
    assert.equal(wrapped("  a longword", 9), "  a\n      lon\n      gwo\n      rd");
    assert.equal(wrapped("round 3: task 2 stays", null), "round 3: task 2 stays");
  });

  const head = ["id", "task", "latency (ms)"];
  const rows = [
    [0, "conv2d 1x1 56x56x72 -> 12", "0.1234"],
    [11, "dense", "-"],
  ];

  it("fits a table: headings break first, then the widest column, never a number", () => {
    const whole =
      "id  task                       latency (ms)\n0   conv2d 1x1 56x56x72 -> 12  0.1234\n11  dense                      -";
    assert.equal(table(head, rows), whole);
    assert.equal(table(head, rows, 43), whole);
    assert.equal(
      table(head, rows, 39),
      "id  task                       latency\n                               (ms)\n0   conv2d 1x1 56x56x72 -> 12  0.1234\n11  dense                      -",
    );
    const narrow = table(head, rows, 24);
    assert.ok(
      narrow.split("\n").every((line) => line.length <= 24),
      narrow,
    );
    for (const word of ["conv2d", "56x56x72", "0.1234"]) {
      assert.ok(narrow.includes(word), narrow);
    }
  });
});
