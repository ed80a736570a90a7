import assert from "node:assert/strict";
import { join } from "node:path";
import { type TuneEvent, tune } from "../../src/index.js";
import { readLog } from "../../src/records/log.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const MINUTE = 60_000;

/** A small job, and what its rounds told. */
async function notices(log: string): Promise<string[]> {
  const options = { model: "mlp", mode: "reference", trials: 12, trialsPerRound: 4, foreseeTrials: 2 } as const;
  const quick = { population: 32, generations: 1, minRepeatMs: 50, number: 1 };
  const told: string[] = [];
  for await (const event of tune({ ...options, ...quick, log }) as AsyncIterable<TuneEvent>) {
    if (event.type === "round-finished") {
      told.push(...event.notices);
    }
  }
  return told;
}

describe("two jobs on one CPU", function () {
  this.timeout(4 * MINUTE);

  it("time their programs in turns, and say so", async () => {
    const folder = await temporaryFolder();
    const logs = [join(folder, "a.log"), join(folder, "b.log")];
    const told = await Promise.all(logs.map(notices));
    for (const [index, log] of logs.entries()) {
      assert.match(told[index]?.join("\n") ?? "", /Another job is tuning on this CPU: waited \d+\.\d s for it/);
      const records = await readLog(log);
      assert.equal(records.length, 12);
      assert.ok(records.some(({ cost }) => cost !== null));
    }
  });
});
