import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { tune } from "../src/index.js";
import { printSpread } from "./spread.js";

/**
 * What searching in several processes saves (`--workers`), where searching is all that takes time: on the simulated GPU, one
 * process and several side by side, for as many programs. Seconds are those from the first round on; the latency is
 * simulated.
 */
const { values } = parseArgs({
  options: {
    model: { type: "string", default: "mobilenetv2_0.5" },
    trials: { type: "string", default: "400" },
    workers: { type: "string", default: "2" },
    repeats: { type: "string", default: "3" },
  },
});
const several = Number(values.workers);

async function run(workers: number, seed: number): Promise<{ seconds: number; score: number }> {
  const folder = await mkdtemp(join(tmpdir(), "familyseer-bench-"));
  const options = { model: values.model, trials: Number(values.trials), simulated: true, workers, seed, library: null };
  let begun = 0;
  let score = Number.NaN;
  for await (const event of tune({ ...options, log: join(folder, "t.log") })) {
    if (event.type === "started") {
      begun = performance.now();
    }
    if (event.type === "finished") {
      score = event.score ?? Number.NaN;
    }
  }
  await rm(folder, { recursive: true });
  return { seconds: (performance.now() - begun) / 1000, score };
}

const [ratios, scores]: [number[], number[]] = [[], []];
for (let seed = 0; seed < Number(values.repeats); seed += 1) {
  const order = seed % 2 === 0 ? [1, several] : [several, 1];
  const runs = new Map<number, Awaited<ReturnType<typeof run>>>();
  for (const workers of order) {
    const done = await run(workers, seed);
    runs.set(workers, done);
    console.log(`seed ${seed}, ${workers} workers: ${done.seconds.toFixed(1)} s, ${(done.score * 1e3).toFixed(4)} ms`);
  }
  const [one, more] = [runs.get(1), runs.get(several)];
  ratios.push((more?.seconds ?? Number.NaN) / (one?.seconds ?? Number.NaN));
  scores.push((more?.score ?? Number.NaN) / (one?.score ?? Number.NaN));
}
printSpread(`seconds, ${several} workers / one`, ratios);
printSpread(`simulated latency, ${several} workers / one`, scores);
process.exit();
