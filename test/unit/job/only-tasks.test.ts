import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { PassThrough } from "node:stream";
import type { TuneEvent } from "../../../src/job/events.js";
import { readReport } from "../../../src/report/page.js";
import { TuneDisplay } from "../../../src/report/tune-display.js";
import { keyOf } from "../../helpers/scripted-operations.js";
import { type Ended, ScriptedTuning } from "../../helpers/scripted-tuning.js";

const MINUTE = 60_000;
/** Task 3 is a dense layer; the others are convolutions, and so a family. */
const CHOSEN = [1, 2, 3];
const ASKED = ["--only-tasks", "3,1,3,2"];
const MODES = {
  reference: ["--mode", "reference", "--trials", "60", "--trials-per-round", "5", "--foresee-trials", "3"],
  fast: ["--mode", "fast", "--trials", "60", "--no-gain-per-second"],
  "reference, without families": ["--mode", "reference", "--trials", "60", "--search-policy", "sketch.xgb"],
  "fast, without families": ["--mode", "fast", "--trials", "60", "--search-policy", "sketch.xgb"],
};

type Told = Ended["events"][number];

/** What of a round names a task. */
function namedIn({ round }: Told): number[] {
  const { task, reason } = round as { task: number; reason: { after?: number; family?: string } };
  const lone = /^\d+$/.test(reason.family ?? "") ? [Number(reason.family)] : [];
  return [task, ...(reason.after === undefined ? [] : [reason.after]), ...lone];
}

async function linesOf(path: string): Promise<string[]> {
  return (await readFile(path, "utf8")).trim().split("\n");
}

/** The journal as a version wrote it that counted a job's own tasks from 0. */
async function makeOlder(path: string): Promise<void> {
  const older = (await linesOf(path)).map((line) => {
    const entry = JSON.parse(line);
    if (entry.type === "started") {
      entry.tasks = entry.tasks.map(({ id: _id, ...task }: { id: number }) => task);
    }
    if (entry.round) {
      entry.round.task = CHOSEN.indexOf(entry.round.task);
      if (entry.round.reason.after !== undefined) {
        entry.round.reason.after = CHOSEN.indexOf(entry.round.reason.after);
      }
    }
    return `${JSON.stringify(entry)}\n`;
  });
  await writeFile(path, older.join(""));
}

describe("a job on some of a network's tasks", function () {
  this.timeout(2 * MINUTE);

  for (const [mode, args] of Object.entries(MODES)) {
    it(`names them by their numbers in the network (${mode})`, async () => {
      const tuning = await ScriptedTuning.make();
      const { exitCode, stderr, events } = await tuning.run([...args, ...ASKED]);
      assert.equal(exitCode, 0, stderr);
      const started = events.find(({ type }) => type === "started") as Extract<TuneEvent, { type: "started" }>;
      assert.deepEqual(
        started.tasks.map(({ id, words }) => [id, words]),
        CHOSEN.map((id) => [id, `task ${id}`]),
      );
      const keys = (await tuning.records()).map((line) => JSON.parse(line).i[0][0]);
      const measured = events.filter(({ type }) => type === "measured").map(({ task }) => keyOf(Number(task)));
      assert.deepEqual(measured, keys);
      const journal: Told[] = (await linesOf(tuning.journal)).map((line) => JSON.parse(line));
      const rounds = [...events, ...journal].filter(({ round }) => round !== undefined);
      assert.deepEqual(
        [...new Set(rounds.flatMap(namedIn))].sort((a, b) => a - b),
        CHOSEN,
      );
      // The first round leaves two tasks without a program, whose cost nobody is told as 1e10.
      const outcomes = rounds.flatMap(({ outcome }) => (outcome ? [outcome as { score: number | null }] : []));
      assert.equal(outcomes[0]?.score, null);
      assert.ok(outcomes.every(({ score }) => score === null || score < 1));

      const out = new PassThrough();
      const display = new TuneDisplay(out, { tableEvery: 0 });
      for (const event of events) {
        display.show(event as unknown as TuneEvent);
      }
      const shown = String(out.read());
      for (const id of CHOSEN) {
        assert.match(shown, new RegExp(`round \\d+: task ${id} \\(task ${id}\\)`));
        assert.match(shown, new RegExp(`^${id} +task ${id} .* [1-9]\\d*\\s*$`, "m"), "programs of each in the table");
      }
      const page = await readReport([tuning.log]);
      assert.deepEqual(
        page.tasks.map(({ title }) => title),
        CHOSEN.map((id) => `${id}: task ${id}`),
      );
    });
  }

  for (const mode of ["reference", "fast"] as const) {
    it(`goes on with these numbers, also from the journal of an older version (${mode})`, async () => {
      const whole = await ScriptedTuning.make();
      assert.equal((await whole.run([...MODES[mode], ...ASKED])).exitCode, 0);
      const tuning = await ScriptedTuning.make();
      await tuning.run([...MODES[mode], ...ASKED], 25);
      await makeOlder(tuning.journal);
      const titles = (await readReport([tuning.log])).tasks.map(({ title }) => title);
      assert.deepEqual(titles, ["1: task 1", "2: task 2", "3: task 3"]);
      // Twice, so that the second goes on where an older and a newer version wrote.
      const half = await tuning.run([...MODES[mode], "--only-tasks", "1,2,3", "--resume"], 10);
      assert.ok(half.events.length >= 10, half.stderr);
      const last = await tuning.run([...MODES[mode], ...ASKED, "--resume"]);
      assert.equal(last.exitCode, 0, last.stderr);
      assert.deepEqual(await tuning.records(), await whole.records());
      const { runs } = await readReport([tuning.log]);
      const all = await readReport([whole.log]);
      const decided = (each: typeof runs) => each[0]?.decisions?.map(({ id, round, reason }) => [round, id, reason]);
      assert.deepEqual(decided(runs), decided(all.runs));
    });
  }

  it("is refused where the network has no such task", async () => {
    const tuning = await ScriptedTuning.make();
    const { exitCode, stderr } = await tuning.run([...MODES.fast, "--only-tasks", "1,7"]);
    assert.equal(exitCode, 2);
    assert.match(stderr, /There is no task 7 of scripted\. Expected numbers from 0 to 4/);
  });
});
