import { readLog } from "../records/log.js";
import { startWorker, type WorkerOptions } from "../worker/start.js";
import { extractTasks, type NetworkOptions } from "./tasks.js";

const COMPILE_DEADLINE_MS = 30 * 60_000;

export interface EvaluateOptions extends NetworkOptions, WorkerOptions {
  readonly log: string;
  /** How often each build is timed; the median counts. */
  readonly repeat: number;
  readonly minRepeatMs: number;
}

/** Latency of a whole network in seconds, each the median of `repeat` timings, untuned and by a log's best records. */
export interface Latencies {
  readonly untuned: number;
  readonly tuned: number;
}

/** Compiles a network twice, untuned and with a log, and times the two in turn on the same machine. */
export async function evaluate(options: EvaluateOptions): Promise<Latencies> {
  await readLog(options.log);
  const worker = await startWorker(options);
  try {
    await extractTasks(worker, options);
    const compile = async (log: string | null) =>
      (await worker.request("compile", { log }, { deadlineMs: COMPILE_DEADLINE_MS })).module;
    const untuned = await compile(null);
    const tuned = await compile(options.log);
    const seconds = { untuned: [] as number[], tuned: [] as number[] };
    // In turn, so that what else the machine does falls on both.
    for (let round = 0; round < options.repeat; round += 1) {
      seconds.untuned.push(...(await time(untuned)));
      seconds.tuned.push(...(await time(tuned)));
    }
    return { untuned: median(seconds.untuned), tuned: median(seconds.tuned) };
  } finally {
    await worker.close();
  }

  async function time(module: number): Promise<number[]> {
    const params = { module, repeat: 1, min_repeat_ms: options.minRepeatMs };
    return (await worker.request("evaluate", params, { deadlineMs: COMPILE_DEADLINE_MS })).seconds;
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
