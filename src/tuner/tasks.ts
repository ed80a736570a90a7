import { join } from "node:path";
import { execa } from "execa";
import type { Task } from "../tuning/task.js";
import { home, pythonFolder, tvmPython } from "../worker/installation.js";
import { type DescribedTask, operations, type Result } from "../worker/protocol.js";
import { startWorker, type WorkerOptions } from "../worker/start.js";
import type { Worker } from "../worker/worker.js";

/** Finding the tasks of a large network on a slow machine takes minutes. */
const EXTRACT_DEADLINE_MS = 20 * 60_000;

export interface NetworkOptions {
  readonly model: string;
  readonly batch: number;
  readonly layout: string;
  readonly target: string;
  /** Only these of its tasks, by their numbers; null or left out: all. */
  readonly onlyTasks?: readonly number[] | null;
}

export interface ExtractedTasks {
  /** The target as TVM spells it in records. */
  readonly target: string;
  readonly tasks: readonly (Task & { readonly words: string })[];
  readonly fromCache: boolean;
}

/** Has a worker find the tasks of a network; the second time they come from the cache. */
export async function extractTasks(worker: Worker, network: NetworkOptions): Promise<ExtractedTasks> {
  const { model, batch, layout, target, onlyTasks } = network;
  const only = onlyTasks ? [...onlyTasks] : null;
  const found = await worker.request(
    "extract",
    { model, batch, layout, target, only, cache: cacheFolder() },
    { deadlineMs: EXTRACT_DEADLINE_MS },
  );
  return toExtracted(found);
}

type AllTasksOptions = Omit<NetworkOptions, "onlyTasks"> & WorkerOptions;

/** All tasks of a network, for those who only want to know them: the second time no worker is started. */
export async function listTasks(options: AllTasksOptions): Promise<ExtractedTasks> {
  const known = options.keys === undefined ? await recallTasks(options) : null;
  if (known) {
    return toExtracted(known);
  }
  const worker = await startWorker(options);
  try {
    return await extractTasks(worker, options);
  } finally {
    await worker.close();
  }
}

/** What a worker of this machine said of the tasks before; null too where Python fails: the worker will say why. */
async function recallTasks(options: AllTasksOptions): Promise<Result<"extract"> | null> {
  const { model, batch, layout, target } = options;
  const asked = { cache: cacheFolder(), model, batch, layout, target };
  const args = Object.entries(asked).map(([name, value]) => `--${name}=${value}`);
  const { stdout } = await execa(tvmPython(options.tvmPython, target), ["-m", "familyseer.descriptions", ...args], {
    env: { PYTHONPATH: pythonFolder },
    stdin: "ignore",
    reject: false,
  });
  try {
    return operations.extract.result.nullable().parse(JSON.parse(stdout ?? ""));
  } catch {
    return null;
  }
}

function cacheFolder(): string {
  return join(home(), "cache");
}

function toExtracted({ target, from_cache, tasks }: Result<"extract">): ExtractedTasks {
  return { target, fromCache: from_cache, tasks: tasks.map(toTask) };
}

export function toTask(described: DescribedTask): Task & { readonly words: string } {
  return {
    description: described.description,
    workloadKey: described.workload_key,
    weight: described.weight,
    flops: described.flops,
    coreOperation: described.core_operation,
    similarityTags: described.similarity_tags,
    words: described.words,
  };
}
