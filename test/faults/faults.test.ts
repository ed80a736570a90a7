import assert from "node:assert/strict";
import { runFaults } from "./run.js";

describe("a job that is killed, cut off, or out of disk", () => {
  it("loses no record, counts none twice, leaves nothing behind, and goes on to its budget", async () => {
    let [kinds, struck] = [0, 0];
    for await (const { name, skipped, strikes, defects } of runFaults({ seed: 1, size: "short" })) {
      assert.deepEqual(defects, [], name);
      kinds += skipped === null ? 1 : 0;
      struck += strikes > 0 ? 1 : 0;
    }
    // A job may be done before it is struck.
    assert.ok(kinds > 0 && struck >= kinds / 2, `${struck} of ${kinds} kinds struck`);
  }).timeout(240_000);
});
