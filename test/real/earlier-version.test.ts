import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { TuneEvent } from "../../src/job/events.js";
import { readLog } from "../../src/records/log.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const MINUTE = 60_000;
const FOLDER = "test/cases/written-by-1163ea4";

const JOBS = {
  reference: { before: 16, trials: 20, budget: ["--foresee-trials", "2"] },
  fast: { before: 14, trials: 24, budget: [] },
};

describe("a job that an earlier version began", function () {
  this.timeout(2 * MINUTE);

  for (const mode of ["reference", "fast"] as const) {
    it(`goes on from its log and journal to the trials asked for (${mode})`, async () => {
      const { before, trials, budget } = JOBS[mode];
      const folder = await temporaryFolder();
      const log = join(folder, `${mode}.log`);
      await cp(FOLDER, folder, { recursive: true });
      const written = await readLog(log);
      assert.equal(written.length, before);

      const small = ["--trials-per-round", "2", "--population", "32", "--generations", "1", "--min-repeat-ms", "5"];
      const job = ["--model", "mlp", "--target", "llvm", "--mode", mode, "--number", "1", ...small, ...budget];
      const args = [
        "scripts/familyseer.js",
        "tune",
        ...job,
        "--trials",
        `${trials}`,
        "--log",
        log,
        "--resume",
        "--json",
      ];
      const { exitCode, stdout, stderr } = await execa("node", args, { reject: false });
      assert.equal(exitCode, 0, stderr);
      const events: TuneEvent[] = stdout.split("\n").map((line) => JSON.parse(line));
      const started = events.find((event) => event.type === "started");
      assert.equal(
        started?.before?.programs.reduce((sum, each) => sum + each, 0),
        before,
      );
      assert.doesNotMatch(started?.notices.join() ?? "", /records alone/);
      const measured = events.filter(({ type }) => type === "measured").length;
      assert.equal(measured, trials - before);
      const records = await readLog(log);
      assert.equal(records.length, trials);
      assert.deepEqual(records.slice(0, before), written);
      const last = events.at(-1);
      assert.deepEqual(last?.type === "finished" && last.reason, { type: "trials-spent", trials });
    });
  }
});
