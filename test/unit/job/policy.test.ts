import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { ScriptedTuning } from "../../helpers/scripted-tuning.js";

const META = { tuner: "metaschedule" };
const REFERENCE = ["--mode", "reference", "--trials", "40", "--trials-per-round", "4"];

describe("the search policy of a job", function () {
  this.timeout(60_000);
  let tuning: ScriptedTuning;
  beforeEach(async () => {
    tuning = await ScriptedTuning.make();
  });
  const started = async () => JSON.parse((await readFile(tuning.journal, "utf8")).split("\n")[0] ?? "");
  const run = (args: readonly string[]) => tuning.run([...REFERENCE, ...args]);

  it("is the tuner's own where none is asked for, and the journal has it", async () => {
    assert.equal((await run([])).exitCode, 0);
    const { tuner, options } = await started();
    assert.deepEqual([tuner, options.searchPolicy], ["ansor", "sketch.xgb.family_op"]);
    tuning = await ScriptedTuning.make(META);
    assert.equal((await run([])).exitCode, 0);
    const ofMetaSchedule = await started();
    assert.deepEqual(
      [ofMetaSchedule.tuner, ofMetaSchedule.options.searchPolicy],
      ["metaschedule", "meta.xgb.family_op"],
    );
  });

  it("of a job that goes on may be left out or named, and is no other", async () => {
    tuning = await ScriptedTuning.make(META);
    await run([]);
    const more = ["--resume", "--trials", "60"];
    for (const named of [[], ["--search-policy", "meta.xgb.family_op"]]) {
      const { exitCode, stderr } = await run([...more, ...named]);
      assert.equal(exitCode, 0, stderr);
    }
    const { exitCode, stderr } = await run([...more, "--search-policy", "meta.xgb"]);
    assert.equal(exitCode, 2);
    assert.match(stderr, /searchPolicy was "meta.xgb.family_op" and is "meta.xgb"/);
  });

  it("of a journal of before there were two tuners is Ansor's", async () => {
    await run([]);
    const lines = (await readFile(tuning.journal, "utf8")).split("\n");
    const { tuner: _tuner, ...ofEarlierVersion } = JSON.parse(lines[0] ?? "");
    await writeFile(tuning.journal, [JSON.stringify(ofEarlierVersion), ...lines.slice(1)].join("\n"));
    const { exitCode, stderr } = await run(["--resume", "--trials", "60"]);
    assert.equal(exitCode, 0, stderr);
  });

  it("of another tuner is refused in a line, and nothing is written", async () => {
    for (const [policy, script, words] of [
      ["sketch.xgb", META, /"sketch", is the search of Ansor, and the tuner is MetaSchedule/],
      ["meta.xgb", {}, /"meta", is the search of MetaSchedule, and the tuner is Ansor/],
    ] as const) {
      tuning = await ScriptedTuning.make(script);
      const { exitCode, stderr } = await run(["--search-policy", policy]);
      assert.equal(exitCode, 2);
      assert.match(stderr, words);
      assert.equal(stderr.trim().split("\n").length, 1, stderr);
      await assert.rejects(readFile(tuning.journal));
    }
  });

  it("of MetaSchedule with two parts warms up every task, takes the limit of a task, and says what it does not know", async () => {
    tuning = await ScriptedTuning.make(META);
    const { exitCode, stderr, events } = await run([
      "--search-policy",
      "meta.xgb",
      "--trials-per-task",
      "6",
      "--beta",
      "3",
    ]);
    assert.equal(exitCode, 0, stderr);
    const [first] = events;
    assert.ok(first);
    const rounds = events.flatMap(({ type, round }) =>
      type === "round-started" ? [round as { task: number; programs: number; reason: { type: string } }] : [],
    );
    const tasks = (first["tasks"] as unknown[]).length;
    assert.deepEqual(
      rounds.slice(0, tasks).map(({ task, reason }) => [task, reason.type]),
      Array.from({ length: tasks }, (_, task) => [task, "warm-up"]),
    );
    for (let task = 0; task < tasks; task += 1) {
      const programs = rounds.flatMap((round) => (round.task === task ? [round.programs] : []));
      assert.ok(programs.reduce((sum, each) => sum + each, 0) <= 6, `task ${task}: ${programs.join()}`);
    }
    assert.deepEqual(
      (first["notices"] as string[]).filter((notice) => notice.startsWith("beta")),
      ["beta has no effect with the search policy meta.xgb, whose scheduler does not know it."],
    );
  });
});
