import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { seededDraw } from "../../src/core/random.js";
import { ScriptedTuning } from "../helpers/scripted-tuning.js";

const MINUTE = 60_000;
const KILLS = 20;
const MODES = {
  reference: ["--mode", "reference", "--trials", "150", "--trials-per-round", "7", "--foresee-trials", "3"],
  // Seconds differ from run to run, so that what is gained in one must not decide here.
  fast: ["--mode", "fast", "--trials", "150", "--no-gain-per-second"],
};

describe("a job that is killed and resumed, again and again", function () {
  this.timeout(4 * MINUTE);

  for (const [mode, args] of Object.entries(MODES)) {
    it(`ends as one that was never killed, after ${KILLS} kills (${mode})`, async () => {
      const tuning = await ScriptedTuning.make();
      const whole = await ScriptedTuning.make();
      const { exitCode, stderr } = await whole.run(args);
      assert.equal(exitCode, 0, stderr);

      const draw = seededDraw(3);
      let told = 0;
      for (let kill = 0; kill < KILLS; kill += 1) {
        const { events, stderr: said } = await tuning.run([...args, "--resume"], 2 + draw(12));
        assert.ok(events.length > 1, said);
        told += events.filter(({ type }) => type === "measured").length;
        assert.ok((await tuning.records()).length >= told, "what was told of is in the log");
        if (kill % 3 === 0) {
          await appendFile(tuning.log, '{"i": [["task-0", "ll');
        }
        if (kill % 4 === 0) {
          await appendFile(tuning.journal, '{"time":"2026-');
        }
      }
      const last = await tuning.run([...args, "--resume"]);
      assert.equal(last.exitCode, 0, last.stderr);
      assert.deepEqual(await tuning.decisions(), await whole.decisions());
      assert.deepEqual(await tuning.records(), await whole.records());
    });
  }
});
