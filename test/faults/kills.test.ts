import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { seededDraw } from "../../src/core/random.js";
import { ScriptedTuning } from "../helpers/scripted-tuning.js";

const MINUTE = 60_000;
const REFERENCE = ["--mode", "reference", "--trials", "150", "--trials-per-round", "7", "--foresee-trials", "3"];
const JOBS = {
  reference: { args: REFERENCE, tuner: "ansor", kills: 20, cut: '{"i": [["task-0", "ll' },
  // Seconds differ from run to run, so that what is gained in one must not decide here.
  fast: {
    args: ["--mode", "fast", "--trials", "150", "--no-gain-per-second"],
    tuner: "ansor",
    kills: 20,
    cut: '{"i": [["task-0", "ll',
  },
  "reference, a database": { args: REFERENCE, tuner: "metaschedule", kills: 8, cut: '[0,[[[["Split",["l' },
};

describe("a job that is killed and resumed, again and again", function () {
  this.timeout(4 * MINUTE);

  for (const [job, { args, tuner, kills, cut }] of Object.entries(JOBS)) {
    it(`ends as one that was never killed, after ${kills} kills (${job})`, async () => {
      const tuning = await ScriptedTuning.make({ tuner });
      const whole = await ScriptedTuning.make({ tuner });
      const { exitCode, stderr } = await whole.run(args);
      assert.equal(exitCode, 0, stderr);

      const draw = seededDraw(3);
      let told = 0;
      for (let kill = 0; kill < kills; kill += 1) {
        const { events, stderr: said } = await tuning.run([...args, "--resume"], 2 + draw(12));
        assert.ok(events.length > 1, said);
        told += events.filter(({ type }) => type === "measured").length;
        assert.ok((await tuning.records()).length >= told, "what was told of is in the log");
        if (kill % 3 === 0) {
          await appendFile(tuning.recordsFile, cut);
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
