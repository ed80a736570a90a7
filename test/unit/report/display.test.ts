import assert from "node:assert/strict";
import { execa } from "execa";
import { ScriptedTuning } from "../../helpers/scripted-tuning.js";

async function tuning(...more: string[]): Promise<string[]> {
  return (await ScriptedTuning.make()).command("--trials", "40", ...more);
}

describe("what tune prints", function () {
  this.timeout(60_000);

  it("is plain lines in a file, each of them one line", async () => {
    const { stdout } = await run(await tuning());
    const rounds = stdout.split("\n").filter((line) => line.startsWith("round "));
    assert.ok(rounds.some((line) => line.length > 100) && rounds.every((line) => / s(;.*)?$/.test(line)), stdout);
    assert.deepEqual(controls(stdout), []);
  });

  it("names the tuner at the beginning and at the end", async () => {
    for (const [tuner, words] of [
      ["ansor", "Ansor"],
      ["metaschedule", "MetaSchedule"],
      ["of-my-own", "of-my-own"],
    ]) {
      const { stdout } = await run(await tuning(), { FAMILYSEER_SCRIPT: JSON.stringify({ tuner }) });
      assert.match(stdout, new RegExp(`^\\d+ tasks for .*, tuned by ${words}: 40 trials, `));
      assert.match(stdout, new RegExp(`latency of all tasks, tuned by ${words}, [\\d.]+ ms$`));
    }
  });

  it("is the end alone with --quiet", async () => {
    const { stdout, stderr } = await run(await tuning("--quiet"));
    assert.match(stdout, /^id +task .*\n(\d+ .*\n)+the trials are spent: 40 programs measured .*$/);
    assert.equal(stderr, "");
  });

  it("is every program and each phase's seconds, too, with --verbose, and what the worker says goes to standard error", async () => {
    const { stdout, stderr } = await run(await tuning("--verbose"));
    assert.equal(stdout.match(/^ {2}task \d+, \w+; /gm)?.length, 40, stdout);
    assert.match(stdout, /^round 0: .* s \(search [\d.]+, measure [\d.]+, learn [\d.]+\)/m);
    assert.equal(stderr, "the scripted worker starts");
  });

  it("says at the end how many timings other work disturbed, and of which programs with --verbose", async () => {
    const disturbed = { FAMILYSEER_SCRIPT: JSON.stringify({ disturbsEvery: 4 }) };
    const { stdout } = await run(await tuning("--verbose"), disturbed);
    const [programs] = [stdout.match(/^ {2}task .*; disturbed by other work; timed 3 times$/gm)?.length];
    const said = `${programs} of 40 timings were disturbed by other work on this machine; ${programs} were timed again.`;
    assert.ok((programs ?? 0) > 2 && stdout.split("\n").at(-2) === said, stdout);
    const quiet = await run(await tuning("--quiet"));
    assert.doesNotMatch(quiet.stdout, /disturbed/);
  });

  it("has the last table once, also where one is due after the last round", async () => {
    const { stdout } = await run(await tuning("--table-every", "1"));
    const rounds = stdout.match(/^round /gm)?.length;
    assert.equal(stdout.match(/^id +task /gm)?.length, rounds, stdout);
  });

  it("ends the job as Ctrl-C does where its reader has gone, with no trace and no record lost", async () => {
    for (const more of [[], ["--json"]]) {
      const { stdout, stderr } = await run([
        "bash",
        "-c",
        '"$@" | head -1; echo "${PIPESTATUS[0]}"',
        "-",
        ...(await tuning(...more)),
      ]);
      assert.equal(stdout.split("\n").at(-1), "130", stderr);
      assert.equal(stderr, "interrupted, as nothing takes what is printed: the round in progress is recorded first");
    }
  });

  it("is said to be lost where its device is full", async () => {
    const { exitCode, stderr } = await run(["bash", "-c", '"$@" >/dev/full', "-", ...(await tuning())]);
    assert.equal(exitCode, 1, stderr);
    assert.match(stderr, /^familyseer: What is printed cannot be written to standard output \(ENOSPC\)\./);
    assert.doesNotMatch(stderr, / at /);
  });

  it("is refused with --quiet beside --verbose or --json", async () => {
    for (const other of ["--verbose", "--json"]) {
      const { exitCode, stderr } = await run(await tuning("--quiet", other));
      assert.equal(exitCode, 2);
      assert.match(stderr, new RegExp(`option '--quiet' cannot be used with option '${other}'`));
    }
  });
});

function run([command = "", ...args]: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return execa(command, args, { reject: false, env });
}

/** Control characters but line breaks. */
function controls(text: string): string[] {
  return text.split("").filter((character) => character < " " && character !== "\n");
}
