import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Ended, ScriptedTuning } from "../../helpers/scripted-tuning.js";

const FAST = ["--mode", "fast", "--trials", "100", "--no-gain-per-second"];

/** The origins of the programs measured, in their order. */
function origins({ events }: Ended): unknown[] {
  return events.filter(({ type }) => type === "measured").map(({ origin }) => origin);
}

function notices({ events }: Ended): string {
  const started = events.find(({ type }) => type === "started");
  return JSON.stringify(started?.["notices"]);
}

/** An environment in which the scripted worker finds schedules that a job left, or none. */
function carrying(carries: string | null): { FAMILYSEER_SCRIPT: string } {
  return { FAMILYSEER_SCRIPT: JSON.stringify({ carries }) };
}

describe("the library of earlier jobs", function () {
  this.timeout(60_000);

  it("gives a job schedules to begin with, says so, and leaves other modes and policies alone", async () => {
    const tuning = await ScriptedTuning.make({ carries: "an earlier one" });
    const library = ["--library", join(tuning.folder, "library")];
    const done = await tuning.run([...FAST, ...library]);
    assert.equal(done.exitCode, 0, done.stderr);
    assert.match(
      notices(done),
      /begins with 3 schedules for nn\.conv2d, from 1 earlier job for this target; --no-library leaves them out/,
    );
    assert.deepEqual(origins(done).slice(0, 3), ["earlier", "earlier", "earlier"]);
    const without = [
      [...FAST, "--no-library"],
      FAST,
      [...FAST, ...library, "--search-policy", "sketch.xgb.family_ind"],
      [...FAST, ...library, "--load-models", tuning.folder],
      ["--mode", "reference", "--trials", "40", ...library],
    ];
    for (const args of without) {
      const { folder, python } = await ScriptedTuning.make({ carries: "an earlier one" });
      assert.notEqual(folder, tuning.folder);
      const other = await tuning.run([...args, "--log", join(folder, "t.log"), "--tvm-python", python]);
      assert.equal(other.exitCode, 0, other.stderr);
      assert.doesNotMatch(notices(other), /begins with/, args.join(" "));
    }
  });

  it("is a folder", async () => {
    const tuning = await ScriptedTuning.make();
    const file = join(tuning.folder, "file");
    await writeFile(file, "");
    const { exitCode, stderr } = await tuning.run([...FAST, "--library", file]);
    assert.equal(exitCode, 2);
    assert.match(stderr, /The library .*file is a file\. Expected a folder/);
  });

  it("decides alike for a job that goes on, whatever it has come to hold since", async () => {
    const whole = await ScriptedTuning.make({ carries: "an earlier one" });
    await whole.run([...FAST, "--library", join(whole.folder, "library")]);
    for (const [began, goesOn] of [
      ["an earlier one", null],
      [null, "a later one"],
    ] as const) {
      const tuning = await ScriptedTuning.make();
      const library = ["--library", join(tuning.folder, "library")];
      await tuning.run([...FAST, ...library], 60, carrying(began));
      const { exitCode, stderr } = await tuning.run([...FAST, ...library, "--resume"], undefined, carrying(goesOn));
      assert.equal(exitCode, 0, stderr);
      const [started] = (await readFile(tuning.journal, "utf8")).split("\n");
      const { job, ...taken } = JSON.parse(started ?? "").basis.library;
      assert.match(job, /^[\da-f-]{36}$/);
      const families = began === null ? [] : ["nn.conv2d"];
      assert.deepEqual(taken, { jobs: began === null ? [] : [began], families });
      if (began !== null) {
        assert.deepEqual(await tuning.decisions(), await whole.decisions());
      }
    }
  });
});
