import { join } from "node:path";
import type { Task } from "../tuning/task.js";
import { home } from "../worker/installation.js";
import type { DescribedTask } from "../worker/protocol.js";
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
    { model, batch, layout, target, only, cache: join(home(), "cache") },
    { deadlineMs: EXTRACT_DEADLINE_MS },
  );
  return {
    target: found.target,
    fromCache: found.from_cache,
    tasks: found.tasks.map(toTask),
  };
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
