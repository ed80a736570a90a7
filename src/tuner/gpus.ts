import { InvalidRequestError } from "../errors.js";
import { isCuda } from "../worker/installation.js";
import type { Worker } from "../worker/worker.js";

const DEADLINE_MS = 60_000;

export interface GpuOptions {
  readonly target: string;
  /** How many GPUs are to measure; one if left out. */
  readonly gpus?: number | undefined;
}

/**
 * Checks that what is compiled for a CUDA target can be timed on this machine. For other targets there is nothing to
 * check.
 *
 * @throws InvalidRequestError if the worker's TVM cannot use as many GPUs as are asked for.
 */
export async function requireGpus(worker: Worker, { target, gpus }: GpuOptions): Promise<void> {
  if (!isCuda(target)) {
    if (gpus !== undefined) {
      throw new InvalidRequestError(`The target ${target} has no GPUs, but ${gpus} are asked for. Expected cuda.`);
    }
    return;
  }
  const wanted = gpus ?? 1;
  if (wanted < 1) {
    throw new InvalidRequestError(`${wanted} GPUs are asked for. Expected a whole number of at least 1.`);
  }
  const found = (await worker.request("gpus", {}, { deadlineMs: DEADLINE_MS })).gpus;
  if (found === 0) {
    throw new InvalidRequestError(
      `There is no GPU that this TVM can use, so for the target ${target} timing is impossible. Expected a GPU with ` +
        "its driver, and a TVM with CUDA: run `scripts/setup --cuda`. Listing tasks and families needs no GPU.",
    );
  }
  if (found < wanted) {
    throw new InvalidRequestError(`${wanted} GPUs are asked for, but this TVM can use ${found}. Ask for ${found}.`);
  }
}
