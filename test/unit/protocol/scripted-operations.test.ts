import assert from "node:assert/strict";
import { checkedParams, checkedResult } from "../../helpers/checked.js";
import { ScriptedOperations } from "../../helpers/scripted-operations.js";

const ASKING = { report: () => undefined, cancelled: () => false };

describe("the scripted worker", () => {
  it("is asked and answers as the protocol says, or fails at once", async () => {
    const operations = new ScriptedOperations({});
    assert.deepEqual(await operations.perform("propose", { task: 0, programs: 2, recipe: null }, ASKING), {
      candidates: [1, 2],
      refusal: null,
    });
    await assert.rejects(operations.perform("propose", { task: 0 }, ASKING), /programs/);
    await assert.rejects(operations.perform("describe", {}, ASKING), /no answer to describe/);
    assert.throws(() => checkedResult("learn", { records: -1 }), /records/);
    assert.throws(() => checkedResult("learn", { records: 1, models: 1 }), /more than the protocol says/);
    assert.throws(
      () => checkedParams("prepare", { task: 0, candidates: [], programs: 1 }),
      /more than the protocol says/,
    );
  });
});
