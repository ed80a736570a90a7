import { resolve } from "node:path";
import { median } from "simple-statistics";
import { InvalidRequestError } from "../errors.js";
import type { DescribedInput } from "../protocol/operations/extract.js";
import { requireLog } from "../records/log.js";
import { logAt, requireLogOf, tunerOf } from "../records/place.js";
import { startWorker, type WorkerOptions } from "../worker/start.js";
import type { Worker } from "../worker/worker.js";
import { type Measures, requireTarget } from "./gpus.js";
import { describeLoaded, loadRecords } from "./loading.js";
import { checkNetwork, extractTasks, type NetworkOptions } from "./tasks.js";
import { describeThreads } from "./threads.js";

/** An untuned run of so many seconds is timed once: MetaSchedule's of a transformer takes minutes. */
const LONG_RUN_SECONDS = 5;

interface TunedOptions extends NetworkOptions, Omit<WorkerOptions, "target"> {
  readonly log: string;
  /** Take records that were measured for other targets, too. */
  readonly acceptOtherTargets?: boolean | undefined;
  /** Told what the network is compiled for, before it is. */
  readonly onInputs?: (inputs: readonly DescribedInput[]) => void;
  /** Told how the tuned network was built, how many tasks the log covers, and what of it was skipped. */
  readonly onNotice?: (notice: string) => void;
}

export interface EvaluateOptions extends TunedOptions {
  /** How often each build is timed; an untuned one whose run takes more than 5 s once. */
  readonly repeat: number;
  readonly minRepeatMs: number;
  /** Also write the tuned build to this file, as `exportLibrary` does. */
  readonly export?: string | undefined;
}

export interface ExportOptions extends TunedOptions {
  /** Where the library goes: a file that ends with `.so` or `.tar`. */
  readonly export: string;
}

/** Latency of a whole network in seconds, each the median of `repeat` timings, untuned and by a log's best records. */
export interface Latencies {
  readonly untuned: number;
  readonly tuned: number;
  /** Threads that both ran on; null where that is not this machine's CPU. */
  readonly threads: number | null;
}

/**
 * Compiles a network twice, untuned and with a log, and times the two in turn on the same machine.
 *
 * @throws InvalidRequestError for what cannot be timed here or written, before anything is compiled.
 */
export function evaluate(options: EvaluateOptions): Promise<Latencies> {
  return withNetwork(options, "here", async (worker, threads) => {
    const { module: untuned } = await worker.request("compile", { tuned: false });
    const tuned = await compileTuned(worker, options);
    const seconds = { untuned: [] as number[], tuned: [] as number[] };
    // In turn, so that what else the machine does falls on both.
    for (let round = 0; round < options.repeat; round += 1) {
      if (round === 0 || median(seconds.untuned) < LONG_RUN_SECONDS) {
        seconds.untuned.push(...(await time(worker, untuned, 1, options.minRepeatMs)));
      }
      seconds.tuned.push(...(await time(worker, tuned, 1, options.minRepeatMs)));
    }
    return { untuned: median(seconds.untuned), tuned: median(seconds.tuned), threads };
  });
}

/** Compiles a network with a log's best records; seconds per run, one mean for each of `repeat` timings. */
export function timeTuned(options: EvaluateOptions): Promise<readonly number[]> {
  return withNetwork(options, "here", async (worker) =>
    time(worker, await compileTuned(worker, options), options.repeat, options.minRepeatMs),
  );
}

/**
 * Compiles a network with a log's best records and writes it, weights included, as a library that plain TVM loads: a shared
 * one (`.so`), or one of object files that are linked where it is loaded (`.tar`). Times nothing, so that the target may be
 * another machine's.
 *
 * @throws InvalidRequestError if the file cannot be written, before anything is compiled, or cannot be linked for the target.
 */
export function exportLibrary(options: ExportOptions): Promise<void> {
  return withNetwork(options, "elsewhere", async (worker) => {
    await compileTuned(worker, options);
  });
}

async function withNetwork<T>(
  options: TunedOptions & { readonly export?: string | undefined },
  measures: Measures,
  work: (worker: Worker, threads: number | null) => Promise<T>,
): Promise<T> {
  const { acceptOtherTargets = false, onNotice, tvmPython } = options;
  const log = await logAt(options.log);
  await requireLog(log);
  const { tuner = tvmPython === undefined ? tunerOf(log) : undefined } = options;
  const worker = await startWorker({ ...options, tuner });
  try {
    requireLogOf(worker.tuner, log);
    await checkNetwork(worker, options);
    for (const warning of await requireTarget(worker, options, measures)) {
      onNotice?.(warning);
    }
    const { tasks, target, inputs, threads } = await extractTasks(worker, options);
    options.onInputs?.(inputs);
    const loaded = await loadRecords(
      worker,
      { log, from: 0, to: null },
      { otherTargets: acceptOtherTargets, only: null },
    );
    const ofThreads = await describeThreads(threads, options, [log]);
    for (const notice of [...ofThreads, ...describeLoaded(loaded, tasks.length, target)]) {
      onNotice?.(notice);
    }
    if (loaded.records.length === 0) {
      throw new InvalidRequestError(
        `${log} has no record of a task of ${options.model} for the target ${target}. Expected the log of its tuning.`,
      );
    }
    return await work(worker, threads?.count ?? null);
  } finally {
    await worker.close();
  }
}

/** With the best of the records that were loaded; also into a file, if one is named. */
async function compileTuned(
  worker: Worker,
  { export: file, onNotice }: Pick<EvaluateOptions, "export" | "onNotice">,
): Promise<number> {
  const { module, notices } = await worker.request("compile", { tuned: true });
  for (const notice of notices) {
    onNotice?.(notice);
  }
  if (file !== undefined) {
    await worker.request("export", { module, library: resolve(file) });
  }
  return module;
}

async function time(worker: Worker, module: number, repeat: number, minRepeatMs: number): Promise<number[]> {
  const params = { module, repeat, min_repeat_ms: minRepeatMs };
  return (await worker.request("evaluate", params)).seconds;
}
