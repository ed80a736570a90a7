import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TuneEvent } from "../../../src/job/events.js";
import { tune } from "../../../src/job/tuner.js";
import { processesWith } from "../../helpers/processes-with.js";
import { ScriptedTuning } from "../../helpers/scripted-tuning.js";
import type { WorkerScript } from "../../helpers/scripted-worker.js";

const MINUTE = 60_000;
const TRIALS = 100;
const FAST = ["--mode", "fast", "--trials", `${TRIALS}`];
const REFERENCE = ["--mode", "reference", "--trials", `${TRIALS}`, "--trials-per-round", "5", "--foresee-trials", "2"];
const CUDA = ["--target", "cuda"];
const AHEAD = ["--overlap"];
/** Less than a worker takes to start. */
const AT_ONCE_MS = 2500;

/** Where the job is when it is asked to end, and what it has measured by then at least. */
const POINTS: readonly (readonly [what: string, script: WorkerScript, args: readonly string[], measured: number])[] = [
  ["its worker starts", { interruptAt: "start" }, FAST, 0],
  ["GPUs are counted", { interruptAt: "gpus" }, [...FAST, ...CUDA], 0],
  ["the tasks are extracted", { interruptAt: "extract" }, FAST, 0],
  ["a second worker finds the tasks", { interruptAt: "extract" }, [...FAST, ...AHEAD, "--workers", "2"], 0],
  ["bounds are measured", { interruptAt: "bounds" }, FAST, 0],
  ["searches are made", { interruptAt: "register" }, REFERENCE, 0],
  ["the first candidates are searched", { interruptAt: "propose" }, FAST, 0],
  ["later candidates are searched", { interruptAt: "propose", nth: 4 }, REFERENCE, 10],
  [
    "candidates are searched beside those found ahead",
    { interruptAt: "propose", nth: 5, fewAhead: true },
    [...REFERENCE, ...AHEAD],
    3,
  ],
  ["a search ahead goes on", { interruptAt: "propose", nth: 2 }, [...FAST, ...AHEAD], 1],
  ["programs are built ahead", { interruptAt: "prepare" }, [...FAST, ...AHEAD], 1],
  ["programs are measured", { interruptAt: "measure", nth: 2 }, FAST, 3],
  ["a round is reviewed", { interruptAt: "review", nth: 2 }, FAST, 2],
  ["a model learns", { interruptAt: "learn", nth: 2 }, REFERENCE, 10],
  ["a model learns beside the next round", { interruptAt: "learn", nth: 2 }, [...REFERENCE, ...AHEAD], 5],
  ["gains are foreseen", { interruptAt: "foresee" }, FAST, 20],
  ["models are saved", { interruptAt: "save" }, FAST, TRIALS],
];

/** Has a job end where a script says, and checks how it ended and what is left of it. */
async function interrupted(tuning: ScriptedTuning, script: WorkerScript, args: readonly string[]) {
  const temporary = join(tuning.folder, "tmp");
  await mkdir(temporary, { recursive: true });
  const mark = `FAMILYSEER_TEST_RUN=${tuning.folder}`;
  const ended = await tuning.run(args, undefined, {
    FAMILYSEER_SCRIPT: JSON.stringify(script),
    FAMILYSEER_TEST_RUN: tuning.folder,
    TMPDIR: temporary,
  });
  assert.equal(ended.exitCode, 130, ended.stderr);
  assert.match(ended.stderr, /^interrupted: .*$/, "nothing else is said");
  const last = ended.events.at(-1) as Extract<TuneEvent, { type: "finished" }> | undefined;
  assert.deepEqual([last?.type, last?.reason], ["finished", { type: "cancelled" }]);
  assert.deepEqual(await processesWith(mark), []);
  assert.deepEqual(await readdir(temporary), []);
  assert.ok(!(await readdir(tuning.folder)).includes("t.log.lock"));
  return { ...ended, trials: last?.trials };
}

describe("a job that is asked to end", function () {
  this.timeout(2 * MINUTE);

  for (const [what, script, args, least] of POINTS) {
    it(`ends with 130, a summary and its records, and goes on later: while ${what}`, async () => {
      const tuning = await ScriptedTuning.make();
      const { events, trials } = await interrupted(tuning, script, args);
      const measured = events.filter(({ type }) => type === "measured").length;
      assert.ok(measured >= least, `${measured} programs`);
      assert.equal(trials, measured);
      if (events.some(({ type }) => type === "started")) {
        assert.equal((await tuning.records()).length, measured);
        const journal = (await readFile(tuning.journal, "utf8")).trim().split("\n");
        assert.match(journal.at(-1) ?? "", /"type":"finished","reason":{"type":"cancelled"}/);
      } else {
        const written = (await readdir(tuning.folder)).filter((name) => name.startsWith("t.log"));
        assert.deepEqual(written, [], "a job that had not begun leaves nothing");
      }
      const rest = await tuning.run([...args, "--resume"]);
      assert.equal(rest.exitCode, 0, rest.stderr);
      const records = (await tuning.records()).map((line) => JSON.stringify(JSON.parse(line).i));
      assert.equal(new Set(records).size, records.length);
      // The reference's last round is not cut short.
      assert.ok(records.length >= TRIALS && records.length < TRIALS + 8);
    });
  }

  it("goes on later: while records are loaded", async () => {
    const tuning = await ScriptedTuning.make();
    const { trials } = await interrupted(tuning, { interruptAt: "learn", nth: 3 }, FAST);
    const loading = await interrupted(tuning, { interruptAt: "load" }, [...FAST, "--resume"]);
    assert.equal(loading.trials, trials, "what was measured before counts");
    const rest = await tuning.run([...FAST, "--resume"]);
    assert.equal(rest.exitCode, 0, rest.stderr);
    assert.equal((await tuning.records()).length, TRIALS);
  });

  it("does not begin if it was asked before", async () => {
    const tuning = await ScriptedTuning.make();
    const python = join(tuning.folder, "python");
    const begun = join(tuning.folder, "begun");
    await writeFile(python, `#!/bin/sh\ntouch ${begun}\n`);
    const from = performance.now();
    const events = [];
    const signal = AbortSignal.abort();
    for await (const event of tune({ model: "mlp", trials: 8, log: tuning.log, tvmPython: python, signal })) {
      events.push(event);
    }
    assert.deepEqual(
      events.map((event) => [event.type, event.type === "finished" && event.reason]),
      [["finished", { type: "cancelled" }]],
    );
    assert.ok(performance.now() - from < AT_ONCE_MS);
    assert.deepEqual(await readdir(tuning.folder), ["python"]);
  });
});
