import assert from "node:assert/strict";
import { isCuda, runsOnCpu } from "../../src/target.js";

describe("A target's text", () => {
  it("says whether programs run on a CPU, also as JSON, whose host is not what they run on", () => {
    const host = { kind: "llvm", mcpu: "carmel" };
    for (const target of ["llvm -num-cores=2", "c", JSON.stringify({ host: null, kind: "llvm", "num-cores": 2 })]) {
      assert.ok(runsOnCpu(target) && !isCuda(target), target);
    }
    for (const target of ["cuda -arch=sm_70", JSON.stringify({ arch: "sm_72", host, kind: "cuda" })]) {
      assert.ok(!runsOnCpu(target) && isCuda(target), target);
    }
  });
});
