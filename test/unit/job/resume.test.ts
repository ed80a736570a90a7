import assert from "node:assert/strict";
import { readFile, rm, truncate, writeFile } from "node:fs/promises";
import { DEFAULT_FAST_FLAGS } from "../../../src/core/fast/flags.js";
import { type Ended, ScriptedTuning } from "../../helpers/scripted-tuning.js";

const MINUTE = 60_000;
const MODES = {
  reference: ["--mode", "reference", "--trials", "150", "--trials-per-round", "7", "--foresee-trials", "3"],
  // Seconds differ from run to run, so that what is gained in one must not decide here.
  fast: ["--mode", "fast", "--trials", "150", "--no-gain-per-second"],
};
const WORKERS = ["--overlap", "--workers", "2"];

/** Of all tasks, as a job's first event has them. */
function programsBefore([started]: Ended["events"]): number {
  assert.ok(started);
  const { programs } = started["before"] as { programs: number[] };
  return programs.reduce((sum, each) => sum + each, 0);
}

describe("a job that is resumed", function () {
  this.timeout(2 * MINUTE);
  let tuning: ScriptedTuning;
  beforeEach(async () => {
    tuning = await ScriptedTuning.make();
  });

  it("goes on with as many workers as it is asked for now: no program is lost, none is measured twice", async () => {
    for (const workers of [WORKERS, [], WORKERS, WORKERS]) {
      const { events, stderr } = await tuning.run([...MODES.fast, ...workers, "--resume"], 40);
      assert.ok(events.length >= 40, stderr);
    }
    const last = await tuning.run([...MODES.fast, ...WORKERS, "--resume"]);
    assert.equal(last.exitCode, 0, last.stderr);
    const records = (await tuning.records()).map((line) => JSON.stringify(JSON.parse(line).i));
    assert.deepEqual([records.length, new Set(records).size], [150, 150]);
  });

  // What the kernel had on the disk when the power failed: a program's entry without its record, and the other way round.
  for (const [what, mode, entries, records] of [
    ["measures a program again that is only in the journal", "fast", 3, 2],
    ["counts a record whose journal has no entry", "reference", 1, 2],
  ] as const) {
    it(what, async () => {
      const whole = await ScriptedTuning.make();
      await whole.run(MODES[mode]);
      const lines = (await readFile(whole.journal, "utf8")).split("\n");
      const round = lines.findIndex((line) => line.includes('"type":"round-started"') && line.includes('"index":8'));
      const { logBytes } = JSON.parse(lines[round] ?? "");
      const log = await readFile(whole.log);
      const ofRound = log.subarray(logBytes).toString().split("\n").slice(0, records);
      await writeFile(tuning.journal, `${lines.slice(0, round + 1 + entries).join("\n")}\n`);
      await writeFile(tuning.log, `${log.subarray(0, logBytes).toString()}${ofRound.join("\n")}\n`);

      const { exitCode, stderr } = await tuning.run([...MODES[mode], "--resume"]);
      assert.equal(exitCode, 0, stderr);
      assert.deepEqual(await tuning.records(), await whole.records());
      assert.deepEqual(await tuning.decisions(), await whole.decisions());
    });
  }

  it("decides as it would have where other work disturbed programs before it was killed", async () => {
    const script = { disturbsEvery: 1 };
    const options = [...MODES.fast, "--task-early-stopping", "12"];
    const [whole, cut] = [await ScriptedTuning.make(script), await ScriptedTuning.make(script)];
    await whole.run(options);
    await cut.run(options, 90);
    const { exitCode, stderr } = await cut.run([...options, "--resume"]);
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual(await cut.decisions(), await whole.decisions());
  });

  it("goes on with a journal of before timings were told to be disturbed", async () => {
    await tuning.run(MODES.fast, 60);
    const journal = await readFile(tuning.journal, "utf8");
    const before = journal
      .replaceAll(/,"waited":[^,]+,"disturbed":\w+,"timings":\d+/g, "")
      .replace(/"retime":true,/, "");
    assert.doesNotMatch(before, /disturbed|retime/);
    await writeFile(tuning.journal, before);
    const { exitCode, stderr } = await tuning.run([...MODES.fast, "--resume"]);
    assert.equal(exitCode, 0, stderr);
    assert.equal((await tuning.records()).length, 150);
  });

  it("has done nothing more once it has ended, and goes on with more trials", async () => {
    await tuning.run(MODES.fast);
    const before = await readFile(tuning.journal, "utf8");
    const again = await tuning.run([...MODES.fast, "--resume"]);
    assert.equal(again.exitCode, 0, again.stderr);
    assert.deepEqual(
      again.events.map(({ type, reason }) => ({ type, reason })),
      [{ type: "ended-before", reason: { type: "trials-spent", trials: 150 } }],
    );
    assert.equal(await readFile(tuning.journal, "utf8"), before);
    const more = await tuning.run([...MODES.fast, "--resume", "--trials", "180"]);
    assert.equal(more.exitCode, 0, more.stderr);
    assert.equal((await tuning.records()).length, 180);
  });

  it("knows its inputs in whatever order they are given", async () => {
    const x = ["--input", "x:1x3"];
    const y = ["--input", "y:2"];
    assert.equal((await tuning.run([...MODES.fast, ...x, ...y])).exitCode, 0);
    assert.equal((await tuning.run([...MODES.fast, "--resume", ...y, ...x])).exitCode, 0);
    const { exitCode, stderr } = await tuning.run([...MODES.fast, "--resume", ...y, "--input", "x:1x4"]);
    assert.equal(exitCode, 2);
    assert.match(stderr, /inputs was \[\{"name":"x","shape":\[1,3\]\}/);
  });

  it("knows the fast mode's flags where its journal has them under `means`, as those of earlier versions do", async () => {
    const asBefore = ["--no-long-outlook", "--no-stalled-descent", "--roof-margin", "0.1", "--no-least-gain"];
    await tuning.run([...MODES.fast, ...asBefore], 60);
    const [first = "", ...rest] = (await readFile(tuning.journal, "utf8")).split("\n");
    const started = JSON.parse(first);
    for (const flag of Object.keys(DEFAULT_FAST_FLAGS)) {
      delete started.options[flag];
    }
    started.options.means = { gainPerSecond: false };
    await writeFile(tuning.journal, [JSON.stringify(started), ...rest].join("\n"));
    const refused = await tuning.run([...MODES.fast, "--resume", "--no-roofline"]);
    assert.match(refused.stderr, /other options: roofline was true and is false\./);
    const { exitCode, stderr } = await tuning.run([...MODES.fast, "--resume"]);
    assert.equal(exitCode, 0, stderr);
    assert.equal((await tuning.records()).length, 150);
  });

  it("goes on with an option turned off that is on by default", async () => {
    await tuning.run([...MODES.fast, "--no-worse-ratio"], 10);
    const { exitCode, stderr } = await tuning.run([...MODES.fast, "--no-worse-ratio", "--resume"]);
    assert.equal(exitCode, 0, stderr);
    assert.match((await tuning.run([...MODES.fast, "--resume"])).stderr, /worseRatio was null and is 2\./);
  });

  it("goes on where it stopped as little was left to gain, if any gain is worth it now", async () => {
    const first = await tuning.run([...MODES.fast, "--least-gain", "0.9"]);
    const stopped = first.events.at(-1)?.["reason"] as { type: string; trials: number };
    assert.deepEqual([stopped.type, stopped.trials < 150], ["little-left", true], first.stderr);
    const again = await tuning.run([...MODES.fast, "--least-gain", "0.9", "--resume", "--trials", "200"]);
    assert.deepEqual(
      again.events.map(({ type, reason }) => ({ type, reason })),
      [{ type: "ended-before", reason: stopped }],
    );
    const { exitCode, stderr } = await tuning.run([...MODES.fast, "--no-least-gain", "--resume"]);
    assert.equal(exitCode, 0, stderr);
    assert.equal((await tuning.records()).length, 150);
    const refused = await tuning.run([...MODES.fast, "--least-gain", "0.9", "--resume", "--trials", "200"]);
    assert.match(refused.stderr, /where now the job would stop: little was left to gain by then\. Ask for/);
  });

  it("is refused with other options, each named", async () => {
    await tuning.run(MODES.fast, 10);
    const { exitCode, stderr } = await tuning.run([...MODES.fast, "--resume", "--seed", "1", "--trials", "100"]);
    assert.equal(exitCode, 2);
    assert.match(stderr, /seed was 0 and is 1; trials were 150 and are 100/);
    assert.match((await tuning.run([...MODES.reference, "--resume"])).stderr, /mode was "fast" and is "reference"/);
    const inputs = ["--resume", "--input", "x:1x16"];
    assert.match(
      (await tuning.run([...MODES.fast, ...inputs])).stderr,
      /inputs was \[\] and is \[\{"name":"x","shape":\[1,16\]\}\]/,
    );
    const { inputs: compiledFor } = JSON.parse((await readFile(tuning.journal, "utf8")).split("\n")[0] ?? "");
    assert.deepEqual(compiledFor, [{ name: "x", shape: [1, 8], dtype: "float32" }]);
  });

  it("keeps its tuner, which was Ansor where its journal does not say", async () => {
    const asking = (...tuner: string[]) => tuning.run([...MODES.fast, "--resume", ...tuner]);
    await tuning.run(MODES.fast, 10);
    const journal = await readFile(tuning.journal, "utf8");
    assert.match(journal, /^\{[^\n]*"tuner":"ansor"/);
    await writeFile(tuning.journal, journal.replace('"tuner":"ansor",', ""));
    const refused = await asking("--tuner", "metaschedule");
    assert.match(refused.stderr, /is a file of another tuner's records\. MetaSchedule has them in a database/);
    assert.equal(refused.exitCode, 2);
    const { exitCode, stderr } = await asking("--tuner", "ansor");
    assert.equal(exitCode, 0, stderr);
  });

  it("is refused if records are missing that its journal knows", async () => {
    await tuning.run(MODES.fast, 60);
    const [first = ""] = await tuning.records();
    const kept = first.length + 10;
    await truncate(tuning.log, kept);
    const { exitCode, stderr } = await tuning.run([...MODES.fast, "--resume"]);
    assert.equal(exitCode, 2);
    assert.match(
      stderr,
      new RegExp(`t\\.log has ${kept} bytes, but the journal .* knows \\d+ of it: records are missing`),
    );
  });

  it("goes on from the records alone where there is no journal, to the number of programs asked for", async () => {
    await tuning.run(MODES.fast, 60);
    await rm(tuning.journal);
    const taken = (await tuning.records()).length;
    const { exitCode, stderr, events } = await tuning.run([...MODES.fast, "--resume"], 40);
    assert.equal(exitCode, undefined, stderr);
    assert.match(JSON.stringify(events[0]), /goes on from its \d+ records alone/);
    assert.equal(programsBefore(events), taken, "what it takes over is where its progress begins");
    const then = (await tuning.records()).length;
    const last = await tuning.run([...MODES.fast, "--resume"]);
    assert.equal(last.exitCode, 0, last.stderr);
    assert.equal(programsBefore(last.events), then, "of both jobs before");
    assert.equal((await tuning.records()).length, 150);
  });
});
