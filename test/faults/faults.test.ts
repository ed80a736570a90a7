import assert from "node:assert/strict";
import { runFaults } from "./run.js";

describe("a job that is killed, cut off, or out of disk", () => {
  it("loses no record, counts none twice, leaves nothing behind, and goes on to its budget", async () => {
    for await (const { name, defects } of runFaults({ seed: 1, size: "short" })) {
      assert.deepEqual(defects, [], name);
    }
  }).timeout(240_000);
});
