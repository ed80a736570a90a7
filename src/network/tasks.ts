import { join, resolve } from "node:path";
import { execa } from "execa";
import type { Task } from "../core/task.js";
import { InvalidRequestError } from "../errors.js";
import type { Runtime } from "../protocol/operations/against.js";
import { type DescribedInput, extract } from "../protocol/operations/extract.js";
import type { Params, Result } from "../protocol/operations/index.js";
import type { DescribedTask } from "../protocol/shapes.js";
import { runsOnCpu } from "../target.js";
import { home, pythonArguments, pythonEnvironment, tvmPython } from "../worker/installation.js";
import { startWorker, type WorkerOptions } from "../worker/start.js";
import type { Worker } from "../worker/worker.js";
import { requireTarget } from "./gpus.js";
import { checkInputs, type NetworkInput } from "./inputs.js";
import { askThreads, type Threads, type ThreadsOptions } from "./threads.js";

export interface NetworkOptions extends ThreadsOptions {
  readonly model: string;
  readonly batch: number;
  readonly layout: string;
  /** Of a network from a file: what the file leaves open of its inputs. */
  readonly inputs?: readonly NetworkInput[] | undefined;
}

/** What else is asked of a network. */
interface Checked {
  readonly export?: string | undefined;
  readonly against?: readonly Runtime[] | undefined;
}

/** A task of a network. */
export interface NetworkTask extends Task {
  /** Its number in the network, counted from 0: the one that everything which names a task has. */
  readonly id: number;
  /** In words, e.g. `conv2d 1x1 56x56x72 -> 12`. */
  readonly words: string;
}

export interface ExtractedTasks {
  /** The target as TVM spells it in records. */
  readonly target: string;
  /** What the network is compiled for. */
  readonly inputs: readonly DescribedInput[];
  readonly tasks: readonly NetworkTask[];
  readonly fromCache: boolean;
  /** What TVM warns of about the target, a line each. */
  readonly notices: readonly string[];
  /** How many threads programs run on; null where that is not this machine's CPU. */
  readonly threads: Threads | null;
}

/**
 * Refuses what a job on a network cannot begin with, before anything is asked for or made: a network that there is not, a file
 * that no library can be written to, and runtimes that cannot run the network.
 */
export async function checkNetwork(
  worker: Worker,
  { model, batch, layout, export: file, against = [] }: Omit<NetworkOptions, "target"> & Checked,
): Promise<void> {
  const library = file === undefined ? null : resolve(file);
  await worker.request("check", { model, batch, layout, library, against: [...against] });
}

/**
 * Has a worker find all tasks of a network; the second time they come from the cache. Programs that it runs from then on run
 * on the threads of the result.
 */
export async function extractTasks(worker: Worker, network: NetworkOptions): Promise<ExtractedTasks> {
  const threads = await askThreads(worker, network);
  const found = await worker.request("extract", { ...questionOf(network), cache: cacheFolder() });
  return toExtracted(found, threads);
}

/**
 * The tasks of a network that are asked for by their numbers, in their order, each once; all where `only` is null.
 *
 * @throws InvalidRequestError for a number that no task has.
 */
export function chooseTasks(
  tasks: readonly NetworkTask[],
  model: string,
  only: readonly number[] | null = null,
): readonly NetworkTask[] {
  const wanted = new Set(only ?? tasks.map(({ id }) => id));
  const unknown = [...wanted].filter((id) => tasks[id] === undefined);
  if (unknown.length > 0 || wanted.size === 0) {
    const what = wanted.size === 0 ? "No task is asked for" : `There is no task ${unknown.join(", ")} of ${model}`;
    throw new InvalidRequestError(
      `${what}. Expected numbers from 0 to ${tasks.length - 1}, as \`familyseer tasks\` lists them.`,
    );
  }
  return tasks.filter(({ id }) => wanted.has(id));
}

/** Which network, as the protocol has it. */
function questionOf(network: NetworkOptions): Omit<Params<"extract">, "cache"> {
  const { model, batch, layout, inputs = [], target } = network;
  return { model, batch, layout, inputs: checkInputs(inputs), target };
}

/**
 * All tasks of a network, for those who only want to know them: the second time no worker is started. `onNotice` is told
 * what TVM warns of.
 */
export async function listTasks(
  options: NetworkOptions & WorkerOptions & { readonly onNotice?: (notice: string) => void },
): Promise<ExtractedTasks> {
  const known = options.keys === undefined ? await recallTasks(options) : null;
  const found = known ? toExtracted(known, null) : await findTasks(options);
  for (const notice of found.notices) {
    options.onNotice?.(notice);
  }
  return found;
}

async function findTasks(options: NetworkOptions & WorkerOptions): Promise<ExtractedTasks> {
  const worker = await startWorker(options);
  try {
    await requireTarget(worker, options, "nowhere");
    return await extractTasks(worker, options);
  } finally {
    await worker.close();
  }
}

/** What a worker of this machine said of the tasks before; null too where Python fails: the worker will say why. */
async function recallTasks(options: NetworkOptions & WorkerOptions): Promise<Result<"extract"> | null> {
  const { inputs, ...rest } = questionOf(options);
  const tuner = options.tuner === undefined ? {} : { tuner: options.tuner };
  const asked = { cache: cacheFolder(), ...rest, inputs: JSON.stringify(inputs), ...tuner };
  const args = Object.entries(asked).map(([name, value]) => `--${name}=${value}`);
  const { stdout } = await execa(
    tvmPython(options.tvmPython, options.target, options.tuner),
    pythonArguments("familyseer.descriptions", ...args),
    {
      env: pythonEnvironment(),
      stdin: "ignore",
      reject: false,
    },
  );
  try {
    return extract.result.nullable().parse(JSON.parse(stdout ?? ""));
  } catch {
    return null;
  }
}

function cacheFolder(): string {
  return join(home(), "cache");
}

function toExtracted(
  { target, from_cache, inputs, tasks, notices }: Result<"extract">,
  threads: Threads | null,
): ExtractedTasks {
  return {
    target,
    inputs,
    fromCache: from_cache,
    notices,
    threads: runsOnCpu(target) ? threads : null,
    tasks: tasks.map((task, id) => ({ ...toTask(task), id, words: task.words })),
  };
}

export function toTask(described: DescribedTask): Task {
  return {
    description: described.description,
    workloadKey: described.workload_key,
    structure: described.structure,
    tiledStage: described.tiled_stage,
    weight: described.weight,
    flops: described.flops,
    coreOperation: described.core_operation,
    similarityTags: described.similarity_tags,
  };
}
