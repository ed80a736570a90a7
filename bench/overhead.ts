import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startWorker, tune } from "../src/index.js";
import { printSpread } from "./spread.js";

/**
 * What TypeScript, the channel, the log and the journal cost: a message's round trip, and their share of a real
 * tuning's wall-clock time (mlp, 24 trials, a search far smaller than any real one, so that the share is an upper
 * bound).
 */
const REPEATS = 3;
const PINGS = 2000;

const roundTrips: number[] = [];
const worker = await startWorker();
for (let count = 0; count < PINGS; count += 1) {
  const begun = performance.now();
  await worker.request("ping", {}, { deadlineMs: 10_000 });
  roundTrips.push(performance.now() - begun);
}
await worker.close();

const shares: number[] = [];
for (let repeat = 0; repeat < REPEATS; repeat += 1) {
  const folder = await mkdtemp(join(tmpdir(), "familyseer-bench-"));
  const options = {
    model: "mlp",
    mode: "reference",
    trials: 24,
    trialsPerRound: 4,
    foreseeTrials: 4,
    population: 64,
    generations: 1,
  } as const;
  for await (const event of tune({ ...options, seed: repeat, minRepeatMs: 10, log: join(folder, "mlp.log") })) {
    if (event.type === "finished") {
      shares.push((100 * event.overheadSeconds) / event.seconds);
    }
  }
  await rm(folder, { recursive: true });
}

printSpread("round trip (ms)", roundTrips);
printSpread("overhead (% of wall-clock time)", shares);
process.exit();
