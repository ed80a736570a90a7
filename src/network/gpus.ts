import { InvalidRequestError } from "../errors.js";
import type { Params } from "../protocol/operations/index.js";
import { isCuda } from "../target.js";
import type { Worker } from "../worker/worker.js";

export interface GpuOptions {
  readonly target: string;
  /** How many GPUs are to measure; one if left out. */
  readonly gpus?: number | undefined;
}

/** Where programs for a target are to run: on this machine, on a tracker's servers, or not at all. */
export type Measures = Params<"target">["measures"];

/**
 * Checks that TVM can compile for a target, and that what it compiles can be timed where that is asked for.
 *
 * @returns what TVM warns of, a line each.
 * @throws InvalidRequestError for a target that LLVM or the tuner does not know, or that cannot be timed here.
 */
export async function requireTarget(
  worker: Worker,
  options: GpuOptions,
  measures: Measures,
): Promise<readonly string[]> {
  const { target } = options;
  if (measures === "here") {
    await requireGpus(worker, options);
  }
  const { notices, lack } = await worker.request("target", { target, measures });
  if (lack !== null) {
    throw new InvalidRequestError(
      `Programs for the target ${target} cannot ${measures === "here" ? "run on this machine" : "be built"}: ${lack}. ` +
        "Expected a target that can, or, to tune on devices that can run it, --tracker and --device-key (docs/devices.md). " +
        "Listing tasks and families needs no device, nor does `evaluate --export FILE --no-timing`.",
    );
  }
  return notices;
}

/**
 * Checks that what is compiled for a CUDA target can be timed on this machine. For other targets there is nothing to
 * check.
 *
 * @throws InvalidRequestError if the worker's TVM cannot use as many GPUs as are asked for.
 */
async function requireGpus(worker: Worker, { target, gpus }: GpuOptions): Promise<void> {
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
  const found = (await worker.request("gpus", {})).gpus;
  if (found === 0) {
    throw new InvalidRequestError(
      `There is no GPU that this TVM can use, so for the target ${target} timing is impossible. Expected a GPU with ` +
        "its driver, and a TVM with CUDA: run `scripts/setup --cuda`. Listing tasks and families needs no GPU, nor does " +
        "`evaluate --export FILE --no-timing`.",
    );
  }
  if (found < wanted) {
    throw new InvalidRequestError(`${wanted} GPUs are asked for, but this TVM can use ${found}. Ask for ${found}.`);
  }
}
