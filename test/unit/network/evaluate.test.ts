import assert from "node:assert/strict";
import { type EvaluateOptions, evaluate } from "../../../src/network/evaluate.js";
import type { Runtime } from "../../../src/protocol/operations/against.js";
import { ScriptedTuning } from "../../helpers/scripted-tuning.js";

describe("evaluate", function () {
  this.timeout(30_000);
  const told: string[] = [];
  let options: EvaluateOptions;
  before(async () => {
    const tuning = await ScriptedTuning.make({ tasks: 1 });
    await tuning.run(["--mode", "reference", "--trials", "4"]);
    options = {
      model: "scripted",
      target: "llvm",
      batch: 1,
      layout: "NHWC",
      log: tuning.log,
      tvmPython: tuning.python,
      repeat: 3,
      minRepeatMs: 1,
      onNotice: (notice) => told.push(notice),
    };
  });

  it("times the two builds and the other runtime in turn, and says whether it computes the same", async () => {
    const found = await evaluate({ ...options, against: ["onnxruntime"] });
    // The scripted worker's timings say which one they are.
    assert.deepEqual(found.timings, { untuned: [1, 4, 7], tuned: [2, 5, 8] });
    assert.deepEqual([found.untuned, found.tuned, found.threads], [4, 5, 2]);
    const first = { runtime: "onnxruntime", version: "1.0", seconds: 6, timings: [3, 6, 9] };
    assert.deepEqual(found.against, [{ ...first, difference: 0.005, same: true }]);
    assert.ok(told.includes("other jobs timed programs on this machine meanwhile: waited 2.3 s for them"));
  });

  it("times nothing else unless asked to", async () => {
    assert.deepEqual((await evaluate(options)).against, []);
  });

  const against = (...names: string[]) => evaluate({ ...options, against: names as Runtime[] });

  it("refuses a runtime that there is not, and one that is given twice", async () => {
    await assert.rejects(
      against("onnx"),
      /^InvalidRequestError: onnx is no runtime to compare with\. Expected .*onnxruntime/,
    );
    await assert.rejects(against("onnxruntime", "onnxruntime"), /onnxruntime is asked for twice/);
  });
});
