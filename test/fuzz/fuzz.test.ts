import assert from "node:assert/strict";
import { defectsOf, fuzz } from "./fuzz.js";

describe("messages that are none", () => {
  it("end in errors at both ends of the wire, never in a crash, a hang or growth", async () => {
    let runs = 0;
    for await (const tally of fuzz({ seed: 1, messages: 10_000, sessions: 20 })) {
      runs += 1;
      assert.deepEqual(defectsOf(tally), []);
    }
    assert.equal(runs, 4, "both ends, each in one process and over a socket");
  }).timeout(60_000);
});
