import assert from "node:assert/strict";
import { firstError } from "../../../src/job/round-summary.js";

const failed = (failure: string, message: string | null) =>
  ({ cost: null, failure, message, device: null, origin: "random", disturbed: false, timingSeconds: 0 }) as const;

describe("the first error of a round", () => {
  it("is the first message there is, and else the kind of the first failure", () => {
    const [slow, broken] = [failed("build-timeout", null), failed("compile-host", "no such file")];
    assert.equal(firstError([slow, broken]), "no such file");
    assert.equal(firstError([slow, slow]), "build-timeout");
    assert.equal(firstError([]), null);
  });
});
