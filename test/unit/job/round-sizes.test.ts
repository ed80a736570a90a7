import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { ScriptedTuning } from "../../helpers/scripted-tuning.js";

const FAST = ["--mode", "fast", "--target", "cuda", "--trials", "150", "--no-gain-per-second", "--no-least-gain"];
const BUILDERS = ["--parallel", "12"];

describe("a job's rounds", function () {
  this.timeout(60_000);
  let tuning: ScriptedTuning;
  beforeEach(async () => {
    tuning = await ScriptedTuning.make();
  });

  /** Programs of a round and what is told, by the job's first event. */
  const begins = async (...args: string[]) => {
    const { events, stderr } = await tuning.run([...FAST, ...args], 10);
    const started = events.find(({ type }) => type === "started");
    assert.ok(started, stderr);
    return { programs: started["trialsPerRound"], notices: (started["notices"] as string[]).join() };
  };

  it("are as large as its builders can build at once, which is told", async () => {
    const { programs, notices } = await begins(...BUILDERS);
    assert.equal(programs, 12);
    assert.match(notices, /rounds have 12 programs, for 12 builders and 1 device; --trials-per-round says otherwise/);
  });

  it("share the builders with those of other workers", async () => {
    assert.equal((await begins("--parallel", "32", "--overlap", "--workers", "2", "--trials", "400")).programs, 16);
  });

  it("have eight programs where builders stand still while one is timed", async () => {
    assert.equal((await begins(...BUILDERS, "--target", "llvm")).programs, 8);
  });

  it("are as large as is asked for, whatever the machine", async () => {
    const { programs, notices } = await begins(...BUILDERS, "--trials-per-round", "9");
    assert.deepEqual([programs, notices.includes("builders")], [9, false]);
  });

  it("keep in the reference mode the size that the reference has", async () => {
    const { programs } = await begins(...BUILDERS, "--mode", "reference", "--trials", "400");
    assert.equal(programs, 64);
  });

  it("keep their size where the job goes on, whatever the machine is then", async () => {
    await begins(...BUILDERS);
    assert.equal((await begins("--resume", "--parallel", "4")).programs, 12);
    assert.equal((await begins("--resume", "--trials-per-round", "12")).programs, 12);
    const { stderr } = await tuning.run([...FAST, "--resume", "--trials-per-round", "8"]);
    assert.match(stderr, /trialsPerRound was 12 and is 8\./);
  });

  it("keep it too where the journal is of before sizes followed from the machine", async () => {
    await begins("--trials-per-round", "8", "--foresee-trials", "4");
    const [first = "", ...rest] = (await readFile(tuning.journal, "utf8")).split("\n");
    const started = JSON.parse(first);
    delete started.basis.firstLook;
    await writeFile(tuning.journal, [JSON.stringify(started), ...rest].join("\n"));
    assert.equal((await begins("--resume", ...BUILDERS)).programs, 8);
    const { exitCode, stderr } = await tuning.run([...FAST, "--resume", ...BUILDERS]);
    assert.equal(exitCode, 0, stderr);
    assert.equal((await tuning.records()).length, 150);
  });
});
