import assert from "node:assert/strict";
import { execa } from "execa";
import { readHistory } from "../../../src/records/job-history.js";
import { type Ended, ScriptedTuning } from "../../helpers/scripted-tuning.js";

const ALL_FAIL = { FAMILYSEER_SCRIPT: JSON.stringify({ failsEvery: 1 }) };
const NEVER = Number.POSITIVE_INFINITY;
/** The worker's five tasks, with so many programs in the first round on each. */
const MODES = {
  reference: { args: ["--mode", "reference", "--trials", "150", "--trials-per-round", "7"], looks: [7, 7, 7, 7, 7] },
  fast: { args: ["--mode", "fast", "--trials", "150"], looks: null },
};

function end({ events }: Ended): Readonly<Record<string, unknown>> {
  return events.at(-1)?.["reason"] as Record<string, unknown>;
}

describe("a job of which no program ran", function () {
  this.timeout(60_000);
  let tuning: ScriptedTuning;
  beforeEach(async () => {
    tuning = await ScriptedTuning.make();
  });

  for (const [mode, { args, looks }] of Object.entries(MODES)) {
    it(`ends after one look at every task, with exit code 1 and the first error (${mode})`, async () => {
      const ended = await tuning.run(args, NEVER, ALL_FAIL);
      assert.equal(ended.exitCode, 1, ended.stderr);
      const rounds = ended.events.filter(({ type }) => type === "round-finished") as unknown as {
        round: { task: number };
        costs: unknown[];
      }[];
      assert.deepEqual(
        rounds.map(({ round }) => round.task).toSorted((a, b) => a - b),
        [0, 1, 2, 3, 4],
      );
      const programs = rounds.reduce((sum, { costs }) => sum + costs.length, 0);
      assert.deepEqual(end(ended), {
        type: "nothing-ran",
        programs,
        failures: { runtime: programs },
        firstError: "scripted",
      });
      if (looks) {
        assert.deepEqual(
          rounds.map(({ costs }) => costs.length),
          looks,
        );
      }
      const said = new RegExp(
        `none of ${programs} programs ran \\(${programs} runtime\\)\\. The first error:\nscripted\nPut right`,
      );
      assert.match(ended.stderr, said);
      assert.equal((await tuning.records()).length, programs);
      const best = await execa("node", ["scripts/familyseer.js", "best", tuning.log]);
      assert.match(best.stderr, new RegExp(`its end: none of ${programs} programs ran \\(${programs} runtime\\)`));
    });
  }

  it("is told again by --resume, spends nothing more, and goes on with more trials once the fault is mended", async () => {
    const { args } = MODES.fast;
    await tuning.run(args, NEVER, ALL_FAIL);
    const programs = (await tuning.records()).length;
    const again = await tuning.run([...args, "--resume"]);
    assert.deepEqual([again.exitCode, again.events.map(({ type }) => type)], [1, ["ended-before"]]);
    assert.match(again.stderr, /The first error:\nscripted/);
    assert.equal((await tuning.records()).length, programs);
    const mended = await tuning.run([...args, "--trials", "200", "--resume"]);
    assert.equal(mended.exitCode, 0, mended.stderr);
    assert.equal((await tuning.records()).length, 200);
  });

  it("keeps the looks and the first error of a job that was killed meanwhile", async () => {
    const { args } = MODES.reference;
    const cut = await tuning.run(args, 24, ALL_FAIL);
    assert.ok(cut.events.length >= 24 && cut.events.length < 40, cut.stderr);
    const rest = await tuning.run([...args, "--resume"], NEVER, ALL_FAIL);
    assert.deepEqual(
      [rest.exitCode, end(rest)],
      [1, { type: "nothing-ran", programs: 35, failures: { runtime: 35 }, firstError: "scripted" }],
    );
  });

  it("is none if programs of it ran before it was resumed", async () => {
    const { args } = MODES.fast;
    await tuning.run(args, 40);
    const rest = await tuning.run([...args, "--resume"], NEVER, ALL_FAIL);
    assert.equal(rest.exitCode, 0, rest.stderr);
    assert.notEqual((await readHistory(tuning.log))?.ended?.type, "nothing-ran");
  });
});
