import { mkdir, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { mean, standardDeviation } from "simple-statistics";
import { CancelledError, InvalidRequestError } from "../errors.js";
import { timeTuned } from "../network/evaluate.js";
import { requireTarget } from "../network/gpus.js";
import { checkNetwork, chooseTasks, extractTasks } from "../network/tasks.js";
import type { ReferenceTuneOptions } from "../options/options.js";
import { startWorker, type WorkerOptions } from "../worker/start.js";
import type { Worker } from "../worker/worker.js";
import { requireRan } from "./attempts.js";
import type { TuneEvent } from "./events.js";
import { tune } from "./tuner.js";

/** The mode that tunes as Ansor does. Every other word means families, as in FamilySeer's scripts. */
export const ANSOR = "ansor";
const POLICIES = { families: "sketch.xgb.family_op", ansor: "sketch.xgb" } as const;

// The paper's experiments (scripts/tune_network_gpu.py of its artifact): budget, timing of a program and of a network.
const TRIALS_PER_TASK = 900;
const MEASURING = { mode: "reference", trialsPerRound: 64, repeat: 1, minRepeatMs: 300, runTimeout: 10 } as const;
const NETWORK_TIMING = { repeat: 3, minRepeatMs: 800 } as const;
const LAYOUT = "NHWC";

/** `trials` and what else `TuneOptions` has stand in for the paper's settings. */
export interface TuneNetworkOptions
  extends Partial<Omit<ReferenceTuneOptions, "batch" | "layout" | "log" | "mode" | "searchPolicy">> {
  readonly model: string;
  readonly batchSize?: number;
  /** Tune first, going on from the records that are there; otherwise only take them. */
  readonly tune?: boolean;
  /** `ansor`, or any other word for families, such as `familyseer` (if left out) or `family`. */
  readonly mode?: string;
  /**
   * The folder of records, `MODEL-NHWC-B<batch>-<cuda|llvm>.json`, or as FamilySeer's scripts name them (docs/cuda.md);
   * `tuning/<mode>` if left out.
   */
  readonly preTuned?: string | undefined;
  /** Also write the tuned network to this file, a library that plain TVM loads (`exportLibrary`). */
  readonly export?: string | undefined;
  /** Told how many tasks the records cover, and what of them was skipped. */
  readonly onNotice?: (notice: string) => void;
  /** Told of all that happens while tuning. */
  readonly onEvent?: (event: TuneEvent) => void;
}

/** Seconds per run of the whole network, over the timings of one build. */
export interface InferenceTime {
  readonly mean: number;
  readonly deviation: number;
  /** The log whose best records the build has. */
  readonly log: string;
  /** How long the tuning took; 0 without one. */
  readonly tuningSeconds: number;
}

/**
 * Tunes a network for CUDA GPUs as the paper did, or takes records; compiles it with the best of them and times it.
 *
 * @throws InvalidRequestError if there is no such network, no library can be written to `export`, there is no GPU, or, without
 *   `tune`, there are no records; nothing is made then.
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
  if (!/^[\w.-]*\w[\w.-]*$/.test(mode)) {
    throw new InvalidRequestError(`The mode is "${mode}". Expected a word: ${ANSOR}, or another for families.`);
  }
  const { model, batchSize: batch = 1, signal } = rest;
  const folder = options.preTuned ?? join("tuning", mode);
  const name = `${basename(model)}-${LAYOUT}-B${batch}-${kind}`;
  const found = await findRecords(folder, name, mode, options.gpus ?? 1);
  const log = found ?? join(folder, `${name}.json`);
  const network = { ...rest, batch, layout: LAYOUT, log } as const;
  let tuningSeconds = 0;
  if (options.tune) {
    const tasks = await countTasks(network);
    const trials = options.trials ?? TRIALS_PER_TASK * (tasks + 1);
    await mkdir(folder, { recursive: true });
    const searchPolicy = mode === ANSOR ? POLICIES.ansor : POLICIES.families;
    const begun = performance.now();
    for await (const event of tune({ ...MEASURING, ...network, trials, loadLog: found, searchPolicy })) {
      options.onEvent?.(event);
      requireRan(event, log);
    }
    tuningSeconds = (performance.now() - begun) / 1000;
    if (signal?.aborted) {
      throw new CancelledError(`The tuning was ended. Its records are in ${log}; tune again to go on from them.`);
    }
  } else if (found === null) {
    await withWorker(network, (worker) => checkNetwork(worker, network));
    throw new InvalidRequestError(`There are no records ${log}. ${await whatElse(folder, name)}`);
  }
  const seconds = await timeTuned({ ...network, ...NETWORK_TIMING });
  return { mean: mean(seconds), deviation: standardDeviation(seconds), log, tuningSeconds };
}

/** Also checks the network and the GPUs, before anything is written. */
function countTasks(network: Parameters<typeof extractTasks>[1] & TuneNetworkOptions): Promise<number> {
  return withWorker(network, async (worker) => {
    await checkNetwork(worker, network);
    await requireTarget(worker, network, network.tracker === undefined ? "here" : "elsewhere");
    const { tasks } = await extractTasks(worker, network);
    return chooseTasks(tasks, network.model, network.onlyTasks).length;
  });
}

async function withWorker<T>(options: WorkerOptions, work: (worker: Worker) => Promise<T>): Promise<T> {
  const worker = await startWorker(options);
  try {
    return await work(worker);
  } finally {
    await worker.close();
  }
}

/**
 * The records of a network in a folder, by the names that FamilySeer's scripts have given them: without the mode, as ours do,
 * with it and the number of GPUs (`-family-D1`), with it alone; or, in published ones, the best alone (`.best.json`).
 */
async function findRecords(folder: string, name: string, mode: string, gpus: number): Promise<string | null> {
  const modes = mode === ANSOR ? [ANSOR] : [...new Set([mode, "family", "familyseer"])];
  const endings = ["", ...modes.flatMap((word) => [`-${word}-D${gpus}`, `-${word}`]), ".json.best"];
  for (const ending of endings) {
    const path = join(folder, `${name}${ending}.json`);
    if (await exists(path)) {
      return path;
    }
  }
  return null;
}

/** What to do where a folder has no records of a network by the names that are looked for. */
async function whatElse(folder: string, name: string): Promise<string> {
  const entries = await readdir(folder).catch(() => []);
  const alike = entries.filter((entry) => entry.startsWith(name) && entry.endsWith(".json")).sort();
  const hint = alike.length > 0 ? `The folder has ${alike.join(", ")}, of another mode or number of GPUs. ` : "";
  return `${hint}Tune first, or name the folder they are in.`;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}
