import { mkdir, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { mean, standardDeviation } from "simple-statistics";
import { plainPolicy } from "../core/search-policy.js";
import { CancelledError, InvalidRequestError } from "../errors.js";
import { timeTuned } from "../network/evaluate.js";
import { requireTarget } from "../network/gpus.js";
import { checkNetwork, chooseTasks, extractTasks } from "../network/tasks.js";
import type { ReferenceTuneOptions } from "../options/options.js";
import { TUNERS, type TunerName, tunerNamed, tunerWords } from "../tuner-name.js";
import { startWorker, type WorkerOptions } from "../worker/start.js";
import type { Worker } from "../worker/worker.js";
import { requireRan } from "./attempts.js";
import type { TuneEvent } from "./events.js";
import { tune } from "./tuner.js";

/** The modes that tune as a tuner does by itself. Every other word means families, as in FamilySeer's scripts. */
export const PLAIN_MODES = TUNERS;

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
  /**
   * `ansor` or `metaschedule`, the tuner's own way, which is also the tuner that is asked for; or any other word for families,
   * such as `familyseer` (if left out) or `family`.
   */
  readonly mode?: string;
  /**
   * The folder of records, `MODEL-NHWC-B<batch>-<cuda|llvm>.json`, or as FamilySeer's scripts name them (docs/cuda.md); without
   * `.json` MetaSchedule's, a folder. `tuning/<mode>` if left out.
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
  const plain = tunerNamed(mode);
  requireMode(mode, plain, options.tuner);
  const { model, batchSize: batch = 1, signal } = rest;
  const folder = options.preTuned ?? join("tuning", mode);
  const name = `${basename(model)}-${LAYOUT}-B${batch}-${kind}`;
  const asked = { ...rest, batch, layout: LAYOUT, tuner: options.tuner ?? plain } as const;
  const survey = options.tune ? await surveyed(asked) : null;
  const records = await findRecords(folder, name, mode, options.gpus ?? 1, survey?.tuner ?? asked.tuner ?? null);
  const { found, log } = records;
  const network = { ...asked, tuner: asked.tuner ?? records.tuner, log } as const;
  let tuningSeconds = 0;
  if (survey) {
    const trials = options.trials ?? TRIALS_PER_TASK * (survey.tasks + 1);
    await mkdir(folder, { recursive: true });
    const searchPolicy = plain ? plainPolicy(plain) : null;
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

/** @throws InvalidRequestError for a mode that is no word, or the own way of another tuner than is asked for. */
function requireMode(mode: string, plain: TunerName | undefined, tuner: TunerName | undefined): void {
  if (!/^[\w.-]*\w[\w.-]*$/.test(mode)) {
    throw new InvalidRequestError(
      `The mode is "${mode}". Expected a word: ${PLAIN_MODES.join(" or ")}, or another for families.`,
    );
  }
  if (plain !== undefined && tuner !== undefined && plain !== tuner) {
    throw new InvalidRequestError(
      `The mode ${mode} is how ${tunerWords(plain)} tunes by itself, and ${tuner} is asked for by --tuner. ` +
        `Expected the mode ${tuner}, or another word for families.`,
    );
  }
}

/** How many tasks there are, and by which tuner. Also checks the network and the GPUs, before anything is written. */
function surveyed(
  network: Parameters<typeof extractTasks>[1] & TuneNetworkOptions,
): Promise<{ readonly tasks: number; readonly tuner: TunerName | null }> {
  return withWorker(network, async (worker) => {
    await checkNetwork(worker, network);
    await requireTarget(worker, network, network.tracker === undefined ? "here" : "elsewhere");
    const { tasks } = await extractTasks(worker, network);
    return {
      tasks: chooseTasks(tasks, network.model, network.onlyTasks).length,
      tuner: tunerNamed(worker.tuner) ?? null,
    };
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

/** The records of a network: `log` is where they are or will be, `tuner` whose they are, undefined where there are none. */
interface Records {
  readonly found: string | null;
  readonly log: string;
  readonly tuner: TunerName | undefined;
}

/**
 * The records of a network in a folder by a tuner, or by whichever has some. Ansor's have the names that FamilySeer's scripts
 * have given them: without the mode, as ours do, with it and the number of GPUs (`-family-D1`), with it alone; or, in published
 * ones, the best alone (`.best.json`). MetaSchedule's are a folder, a database.
 */
async function findRecords(
  folder: string,
  name: string,
  mode: string,
  gpus: number,
  tuner: TunerName | null,
): Promise<Records> {
  const modes = mode === "ansor" ? [mode] : [...new Set([mode, "family", "familyseer"])];
  const endings = ["", ...modes.flatMap((word) => [`-${word}-D${gpus}`, `-${word}`]), ".json.best"];
  const names = { ansor: endings.map((ending) => `${name}${ending}.json`), metaschedule: [name] };
  for (const each of tuner === null ? TUNERS : [tuner]) {
    for (const path of names[each].map((file) => join(folder, file))) {
      if (await exists(path)) {
        return { found: path, log: path, tuner: each };
      }
    }
  }
  const [first = name] = names[tuner ?? "ansor"];
  return { found: null, log: join(folder, first), tuner: undefined };
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
