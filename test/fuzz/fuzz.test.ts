import assert from "node:assert/strict";
import { defectsOf, fuzz } from "./fuzz.js";

describe("messages that are none", () => {
  it("end in errors at both ends of the wire, never in a crash, a hang or growth", async () => {
    for await (const tally of fuzz({ seed: 1, messages: 10_000, sessions: 20 })) {
      assert.deepEqual(defectsOf(tally), []);
    }
  }).timeout(60_000);
});
