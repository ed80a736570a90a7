import { resolve } from "node:path";
import { median } from "simple-statistics";
import { InvalidRequestError } from "../errors.js";
import { RUNTIMES, type Runtime } from "../protocol/operations/against.js";
import type { DescribedInput } from "../protocol/operations/extract.js";
import type { Result } from "../protocol/operations/index.js";
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
/** Of the largest output. Sums of thousands of products in another order differ by less, networks by more. */
const TOLERANCE = 1e-3;
/** Other jobs' turns are told from so many seconds on. */
const WAITED_SECONDS = 0.1;

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
  /**
   * Other runtimes to time the same network in, on the same inputs and as many threads, in turn with the two builds. They are
   * looked for in the worker's Python.
   */
  readonly against?: readonly Runtime[] | undefined;
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
  /** What each of the two is the median of. */
  readonly timings: { readonly untuned: readonly number[]; readonly tuned: readonly number[] };
  /** Those of the other runtimes, in the order that was asked for. */
  readonly against: readonly RivalLatency[];
}

/** The network in another runtime. */
export interface RivalLatency {
  readonly runtime: Runtime;
  readonly version: string;
  /** The median of `timings`, in seconds. */
  readonly seconds: number;
  readonly timings: readonly number[];
  /** The largest absolute difference of an output from the tuned build's; null where they cannot be compared. */
  readonly difference: number | null;
  /** Whether that is small beside the outputs, so that both compute the same. */
  readonly same: boolean;
}

/**
 * Compiles a network twice, untuned and with a log, and times the two in turn on the same machine, and with them other
 * runtimes that are asked for.
 *
 * @throws InvalidRequestError for what cannot be timed here or written, and for runtimes that are not there or cannot run the
 *   network, before anything is compiled.
 */
export async function evaluate(options: EvaluateOptions): Promise<Latencies> {
  const { against = [] } = options;
  requireRuntimes(against);
  return await withNetwork(options, "here", async (worker, threads) => {
    const rivals = [];
    for (const runtime of against) {
      const { model, batch, layout } = options;
      rivals.push({ runtime, ...(await worker.request("against", { runtime, model, batch, layout })) });
    }
    const untuned = { ...(await worker.request("compile", { tuned: false })), timings: [] as number[] };
    const tuned = { module: await compileTuned(worker, options), timings: [] as number[] };
    const others = rivals.map((rival) => ({ ...rival, timings: [] as number[] }));
    let waited = 0;
    // In turn, so that what else the machine does falls on all.
    for (let round = 0; round < options.repeat; round += 1) {
      for (const each of [untuned, tuned, ...others]) {
        if (each !== untuned || round === 0 || median(untuned.timings) < LONG_RUN_SECONDS) {
          const timed = await time(worker, each.module, 1, options.minRepeatMs);
          each.timings.push(...timed.seconds);
          waited += timed.waited;
        }
      }
    }
    if (waited >= WAITED_SECONDS) {
      options.onNotice?.(`other jobs timed programs on this machine meanwhile: waited ${waited.toFixed(1)} s for them`);
    }
    const compared = [];
    for (const { runtime, version, module, timings } of others) {
      const { difference, largest } = await worker.request("compare", { module: tuned.module, other: module });
      const same = difference !== null && largest !== null && difference <= TOLERANCE * largest;
      compared.push({ runtime, version, seconds: median(timings), timings, difference, same });
    }
    return {
      untuned: median(untuned.timings),
      tuned: median(tuned.timings),
      threads,
      timings: { untuned: untuned.timings, tuned: tuned.timings },
      against: compared,
    };
  });
}

/** For callers without types. */
function requireRuntimes(against: readonly string[]): void {
  const known: readonly string[] = RUNTIMES;
  const wrong = against.find((name, index) => !known.includes(name) || against.indexOf(name) !== index);
  if (wrong !== undefined) {
    const what = known.includes(wrong) ? `${wrong} is asked for twice` : `${wrong} is no runtime to compare with`;
    throw new InvalidRequestError(`${what}. Expected each once of ${known.join(", ")}.`);
  }
}

/** Compiles a network with a log's best records; seconds per run, one mean for each of `repeat` timings. */
export function timeTuned(options: EvaluateOptions): Promise<readonly number[]> {
  return withNetwork(
    options,
    "here",
    async (worker) =>
      (await time(worker, await compileTuned(worker, options), options.repeat, options.minRepeatMs)).seconds,
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
  options: TunedOptions & Pick<EvaluateOptions, "export" | "against">,
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

function time(worker: Worker, module: number, repeat: number, minRepeatMs: number): Promise<Result<"evaluate">> {
  return worker.request("evaluate", { module, repeat, min_repeat_ms: minRepeatMs });
}
