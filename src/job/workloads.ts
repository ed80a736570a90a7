import { InvalidRequestError } from "../errors.js";
import type { Workloads } from "../protocol/operations/workloads.js";
import { AppendOnlyFile } from "../records/append-only-file.js";
import { linesOf } from "../records/lines.js";
import { workloadsOf } from "../records/paths.js";
import type { FamilyWorkers } from "./family-workers.js";

/**
 * Has the workloads of a job's tasks in the file of a database that records name them by, before there is a record.
 *
 * @returns how records name tasks and target; null where they say all themselves, and there is no such file.
 */
export async function writeWorkloads(workers: FamilyWorkers, log: string): Promise<Workloads | null> {
  let first: Workloads | null = null;
  // One after another: the others find what the first one lacked.
  for (const worker of workers.all) {
    const { workloads } = await worker.request("workloads", { log });
    if (workloads) {
      await addTo(workloadsOf(log), workloads);
      first ??= workloads;
    }
  }
  return first;
}

async function addTo(path: string, { lines, count }: Workloads): Promise<void> {
  const file = await AppendOnlyFile.open(path);
  try {
    if ((await countLines(path)) !== count - lines.length) {
      throw new InvalidRequestError(
        `The worker does not see what is in ${path}. Expected a worker on this machine, or one that has its folder under the same path.`,
      );
    }
    await file.append(lines);
  } finally {
    await file.close();
  }
}

async function countLines(path: string): Promise<number> {
  let count = 0;
  const refuse = ({ code }: NodeJS.ErrnoException) => {
    throw new InvalidRequestError(`${path} cannot be read (${code}).`);
  };
  for await (const _ of linesOf(path, refuse)) {
    count += 1;
  }
  return count;
}
