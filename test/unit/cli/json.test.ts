import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { journalEntries } from "../../../src/records/journal.js";
import { requireOneCasing } from "../../helpers/casing.js";
import { ScriptedTuning } from "../../helpers/scripted-tuning.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";
import { startedLine, writeLog } from "../../helpers/written-logs.js";

const DIGEST = "0123456789abcdef0123456789abcdef";
const CONV = `["${DIGEST}", [1, 56, 56, 72], [1, 1, 72, 12], [1, 56, 56, 12]]`;
const DENSE = `["${DIGEST}", [1, 784], [128, 784], [1, 128]]`;
const NAMED = '["matmul_add", 128, 64, "float32"]';
const CONV_WORDS = "conv2d 1x1 56x56x72 -> 12, with a bias, a residual and a relu after it, as MobileNet has them";

function familyseer(...args: string[]) {
  return execa("node", ["scripts/familyseer.js", ...args]);
}

describe("best", () => {
  let log: string;
  beforeEach(async () => {
    log = join(await temporaryFolder(), "t.log");
    await writeLog(log, [
      { key: DENSE, cost: 3e-4, at: 1 },
      { key: NAMED, cost: null, at: 2 },
      { key: CONV, cost: 2e-4, at: 3 },
      { key: CONV, cost: 1e-4, at: 4 },
    ]);
  });
  const writeJournal = () =>
    writeFile(
      `${log}.journal.jsonl`,
      `${startedLine([
        { key: CONV, words: CONV_WORDS, family: "nn.conv2d", weight: 5 },
        { key: DENSE, words: "dense 1x784 -> 128", weight: 1 },
      ])}\n`,
    );

  it("names each operation from the journal, what costs the network most first, and what never ran last", async () => {
    await writeJournal();
    const { stdout } = await familyseer("best", log);
    const tasks = stdout.split("\n").slice(1);
    assert.ok(tasks[0]?.startsWith(`${CONV_WORDS}  0.1000        5       0.5000         2       0`), stdout);
    assert.ok(tasks[1]?.startsWith("dense 1x784 -> 128 "), stdout);
    assert.match(tasks[2] ?? "", /^matmul_add \(128, 64, float32\) +- +- +- +1 +1$/);
  });

  it("says without a journal what the records alone say: the shapes, and a function's name", async () => {
    const { stdout } = await familyseer("best", log);
    const tasks = stdout.split("\n").slice(1);
    assert.match(tasks[0] ?? "", /^computation 01234567 of 1x784, 128x784, 1x128 +0\.3000 +- +- +1 +0$/);
    assert.match(tasks[1] ?? "", /^computation 01234567 of 1x56x56x72, 1x1x72x12, 1x56x56x12 +0\.1000/);
    assert.match(tasks[2] ?? "", /^matmul_add /);
  });

  it("says all of it with --json", async () => {
    await writeJournal();
    const [first, , last] = JSON.parse((await familyseer("best", log, "--json")).stdout);
    const { operation, family, weight, seconds, weightedSeconds, tensors } = first;
    assert.deepEqual([operation, family, weight, seconds, weightedSeconds], [CONV_WORDS, "nn.conv2d", 5, 1e-4, 5e-4]);
    assert.deepEqual(tensors[1], [1, 1, 72, 12]);
    const { name, seconds: never, weight: unknown } = last;
    assert.deepEqual([name, never, unknown], ["matmul_add", null, null]);
  });

  it("never writes the best records over what they are read from, and fails where what it prints is lost", async () => {
    const before = await readFile(log, "utf8");
    const over = await execa("node", ["scripts/familyseer.js", "best", log, "--distill", log], { reject: false });
    assert.equal(over.exitCode, 2, over.stderr);
    assert.match(over.stderr, /is what the records are read from/);
    assert.equal(await readFile(log, "utf8"), before);
    const full = await execa("bash", ["-c", 'node scripts/familyseer.js best "$0" >/dev/full', log], { reject: false });
    assert.equal(full.exitCode, 1, full.stderr);
    assert.match(full.stderr, /cannot be written to standard output \(ENOSPC\)/);
  });

  it("has report name tasks in its notes by whole words, with and without a journal", async () => {
    const { stderr } = await familyseer("report", log);
    assert.match(stderr, /left out of the sums.*: matmul_add \(128, 64, float32\)\.$/m);
  });
});

describe("what programs read", function () {
  this.timeout(60_000);

  it("has keys in one casing: the events, the journal and the --json of every command that needs no TVM", async () => {
    const tuning = await ScriptedTuning.make();
    const { events, exitCode, stderr } = await tuning.run(["--trials", "40"]);
    assert.equal(exitCode, 0, stderr);
    requireOneCasing(events);
    const journal = (await readFile(tuning.journal, "utf8")).trim().split("\n");
    requireOneCasing(journal.map((line) => JSON.parse(line)));
    const keys = join(tuning.folder, "keys");
    for (const args of [
      ["best", tuning.log],
      ["report", tuning.log],
      ["keys", keys],
      ["experiment"],
      ["experiment", "published", "--out", tuning.folder],
    ]) {
      // Nothing else on standard output, or this throws.
      requireOneCasing(JSON.parse((await familyseer(...args, "--json")).stdout));
    }
  });

  it("still reads the journals that had another", async () => {
    const tuning = await ScriptedTuning.make();
    await tuning.run(["--trials", "60"], 60);
    const old = (await readFile(tuning.journal, "utf8"))
      .replaceAll('"timingSeconds":', '"timing_seconds":')
      .replaceAll('"rate":', '"perSecond":')
      .replaceAll(/,"per":"second"/g, "");
    assert.match(old, /timing_seconds.*"perSecond"/s);
    await writeFile(tuning.journal, old);
    const entries = [];
    for await (const entry of journalEntries(tuning.log)) {
      entries.push(entry);
    }
    const measured = entries.find(({ type }) => type === "measured");
    assert.ok(measured?.type === "measured" && measured.timingSeconds > 0);
    const reasons = entries.flatMap((entry) => (entry.type === "round-started" ? [entry.round.reason] : []));
    const gain = reasons.find(({ type }) => type === "expected-gain");
    assert.ok(gain?.type === "expected-gain" && gain.rate > 0 && gain.per === "second");
    const { exitCode, stderr } = await tuning.run(["--trials", "60", "--resume"]);
    assert.equal(exitCode, 0, stderr);
    await rm(tuning.log);
  });
});
