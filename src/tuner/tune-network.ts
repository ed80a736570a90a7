import { mkdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { CancelledError, InvalidRequestError } from "../errors.js";
import { startWorker } from "../worker/start.js";
import { requireRan } from "./attempts.js";
import { timeTuned } from "./evaluate.js";
import type { TuneEvent } from "./events.js";
import { requireTarget } from "./gpus.js";
import type { TuneOptions } from "./options.js";
import { chooseTasks, extractTasks } from "./tasks.js";
import { tune } from "./tuner.js";

/** What tunes the tasks: families, or Ansor as it is. */
export const MODES = { familyseer: "sketch.xgb.family_op", ansor: "sketch.xgb" } as const;
export type Mode = keyof typeof MODES;

// The paper's experiments (scripts/tune_network_gpu.py of its artifact): budget, timing of a program and of a network.
const TRIALS_PER_TASK = 900;
const MEASURING = { mode: "reference", trialsPerRound: 64, repeat: 1, minRepeatMs: 300, runTimeout: 10 } as const;
const NETWORK_TIMING = { repeat: 3, minRepeatMs: 800 } as const;
const LAYOUT = "NHWC";

/** `trials` and what else `TuneOptions` has stand in for the paper's settings. */
export interface TuneNetworkOptions
  extends Partial<Omit<TuneOptions, "batch" | "layout" | "log" | "mode" | "searchPolicy">> {
  readonly model: string;
  readonly batchSize?: number;
  /** Tune first, going on from the records that are there; otherwise only take them. */
  readonly tune?: boolean;
  readonly mode?: Mode;
  /** The folder of records, `MODEL-NHWC-B<batch>-<cuda|llvm>.json`; `tuning/<mode>` if left out. */
  readonly preTuned?: string | undefined;
  /** Told of all that happens while tuning. */
  readonly onEvent?: (event: TuneEvent) => void;
}

/** Seconds per run of the whole network, over the timings of one build. */
export interface InferenceTime {
  readonly mean: number;
  readonly deviation: number;
  /** The log whose best records the build has. */
  readonly log: string;
}

/**
 * Tunes a network for CUDA GPUs as the paper did, or takes records; compiles it with the best of them and times it.
 *
 * @throws InvalidRequestError if there is no GPU, or, without `tune`, there are no records.
 * @throws NothingRanError if no program of the tuning ran.
 * @throws CancelledError if `signal` ended the tuning; what was measured is in the log.
 */
export function tuneNetworkGpu(options: TuneNetworkOptions): Promise<InferenceTime> {
  return tuneNetwork({ target: "cuda", gpus: 1, ...options }, "cuda");
}

/** As `tuneNetworkGpu`, for this machine's CPU. */
export function tuneNetworkX86(options: TuneNetworkOptions): Promise<InferenceTime> {
  return tuneNetwork({ target: "native", ...options }, "llvm");
}

async function tuneNetwork(
  options: TuneNetworkOptions & { readonly target: string },
  kind: "cuda" | "llvm",
): Promise<InferenceTime> {
  const { mode = "familyseer", ...rest } = options;
  const { model, batchSize: batch = 1, signal } = rest;
  const folder = options.preTuned ?? join("tuning", mode);
  const log = join(folder, `${basename(model)}-${LAYOUT}-B${batch}-${kind}.json`);
  const network = { ...rest, batch, layout: LAYOUT, log } as const;
  if (options.tune) {
    const tasks = await countTasks(network);
    const trials = options.trials ?? TRIALS_PER_TASK * (tasks + 1);
    await mkdir(folder, { recursive: true });
    const loadLog = (await exists(log)) ? log : null;
    for await (const event of tune({ ...MEASURING, ...network, trials, loadLog, searchPolicy: MODES[mode] })) {
      options.onEvent?.(event);
      requireRan(event, log);
    }
    if (signal?.aborted) {
      throw new CancelledError(`The tuning was ended. Its records are in ${log}; tune again to go on from them.`);
    }
  } else if (!(await exists(log))) {
    throw new InvalidRequestError(`There are no records ${log}. Tune first, or name the folder they are in.`);
  }
  const seconds = await timeTuned({ ...network, ...NETWORK_TIMING });
  return { ...meanAndDeviation(seconds), log };
}

/** Also checks the model and the GPUs, before anything is written. */
async function countTasks(network: Parameters<typeof extractTasks>[1] & TuneNetworkOptions): Promise<number> {
  const worker = await startWorker(network);
  try {
    await requireTarget(worker, network, network.tracker === undefined ? "here" : "elsewhere");
    const { tasks } = await extractTasks(worker, network);
    return chooseTasks(tasks, network.model, network.onlyTasks).length;
  } finally {
    await worker.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}

function meanAndDeviation(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}
