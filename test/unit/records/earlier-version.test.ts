import assert from "node:assert/strict";
import { execa } from "execa";
import { journalEntries } from "../../../src/records/journal.js";
import { readLog } from "../../../src/records/log.js";
import { readReport } from "../../../src/report/page.js";

const FOLDER = "test/cases/written-by-1163ea4";
const OPERATIONS = ["dense 1x128 -> 64", "dense 1x64 -> 10", "dense 1x784 -> 128", "softmax 1x10"];

const JOBS = {
  reference: { programs: 16, rounds: 8, end: /its end: the trials are spent/ },
  fast: { programs: 14, rounds: 5, end: /no end in its journal: it still runs, or was killed/ },
};

describe("what an earlier version wrote", () => {
  for (const [mode, { programs, rounds, end }] of Object.entries(JOBS)) {
    const log = `${FOLDER}/${mode}.log`;

    it(`is read whole, line by line (${mode})`, async () => {
      assert.equal((await readLog(log)).length, programs);
      const types: string[] = [];
      for await (const { type } of journalEntries(log)) {
        types.push(type);
      }
      assert.equal(types[0], "started");
      assert.equal(types.filter((type) => type === "measured").length, programs);
      assert.equal(types.filter((type) => type === "round-finished").length, rounds);
    });

    it(`has its best programs and how its job ended (${mode})`, async () => {
      const { stdout, stderr } = await execa("node", ["scripts/familyseer.js", "best", log, "--json"]);
      const best: { operation: string; seconds: number; family: string }[] = JSON.parse(stdout);
      assert.deepEqual(best.map(({ operation }) => operation).toSorted(), OPERATIONS);
      assert.ok(best.every(({ seconds, family }) => seconds > 0 && seconds < 1e-3 && family.startsWith("nn.")));
      assert.match(stderr, /4 of the job's 4 tasks have a program that ran/);
      assert.match(stderr, end);
    });
  }

  it("has its decisions and their reasons in a report", async () => {
    const { runs, tasks } = await readReport(Object.keys(JOBS).map((mode) => `${FOLDER}/${mode}.log`));
    assert.equal(tasks.length, 4);
    const decided = runs.map(({ decisions }) => decisions?.map(({ reason }) => reason));
    assert.deepEqual(
      decided.map((reasons) => reasons?.length),
      Object.values(JOBS).map(({ rounds }) => rounds),
    );
    assert.ok(decided.flat().every((reason) => reason !== undefined && !/undefined|NaN/.test(JSON.stringify(reason))));
  });
});
