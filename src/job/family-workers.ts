import type { Families } from "../core/families.js";
import { InvalidRequestError } from "../errors.js";
import { type Measures, requireTarget } from "../network/gpus.js";
import { extractTasks } from "../network/tasks.js";
import type { CompleteTuneOptions } from "../options/defaults.js";
import { startWorker } from "../worker/start.js";
import type { Worker } from "../worker/worker.js";

/**
 * The workers of a job, each with the cost models and searches of families of its own, so that some search and learn while
 * another measures. One family's searches are all in one worker: they share a model and schedules.
 */
export class FamilyWorkers {
  readonly #all: Worker[];
  /** By task. */
  readonly #numbers: readonly number[];

  private constructor(first: Worker, numbers: readonly number[]) {
    this.#all = [first];
    this.#numbers = numbers;
  }

  /**
   * As many workers as the options ask for, if there are as many families. They find the same tasks as the first, in the
   * cache.
   */
  static async start(
    first: Worker,
    options: CompleteTuneOptions,
    families: Families | null,
    measures: Measures,
  ): Promise<FamilyWorkers> {
    const count = Math.min(options.workers, families?.size ?? 1);
    const workers = new FamilyWorkers(first, families ? shareOut(families, count) : []);
    const others = Array.from({ length: count - 1 }, async () => {
      const worker = await startWorker(options);
      workers.#all.push(worker);
      // The GPU's limits, by which tasks differ, are found out there.
      await requireTarget(worker, options, measures);
      await extractTasks(worker, options);
    });
    const failed = (await Promise.allSettled(others)).find((each) => each.status === "rejected");
    if (failed) {
      await workers.closeOthers();
      throw failed.reason;
    }
    return workers;
  }

  get all(): readonly Worker[] {
    return this.#all;
  }

  get first(): Worker {
    return this.#all[0] as Worker;
  }

  /** The number of the worker that has a task's family. */
  numberOf(task: number): number {
    return this.#numbers[task] ?? 0;
  }

  /** The worker that has a task's family. */
  of(task: number): Worker {
    return this.#all[this.numberOf(task)] as Worker;
  }

  /** Seconds in which any worker was at a request so far. */
  get busySeconds(): number {
    let [total, until] = [0, 0];
    for (const { from, to } of this.#all.flatMap(({ busy }) => busy).sort((a, b) => a.from - b.from)) {
      total += Math.max(0, to - Math.max(from, until));
      until = Math.max(until, to);
    }
    return total;
  }

  /** Ends all workers but the first. */
  async closeOthers(): Promise<void> {
    await Promise.all(this.#all.slice(1).map((worker) => worker.close()));
  }
}

/**
 * Checks that a job may have several workers.
 *
 * @throws InvalidRequestError where they would meet at one address or at devices that only one can hold.
 */
export function checkWorkers(options: CompleteTuneOptions): void {
  const { workers, keys, endpoint, channel, gpus, tracker } = options;
  if (!Number.isInteger(workers) || workers < 1) {
    throw new InvalidRequestError(`${workers} workers are asked for. Expected a whole number of at least 1.`);
  }
  const inTheWay = [
    keys !== undefined && "--keys",
    endpoint !== undefined && "--endpoint",
    channel !== "zeromq" && `--channel ${channel}`,
    (gpus ?? 1) > 1 && `--gpus ${gpus}`,
    tracker !== undefined && "--tracker",
  ].filter((each) => each !== false);
  if (workers > 1 && inTheWay.length > 0) {
    throw new InvalidRequestError(
      `${workers} workers cannot share what ${inTheWay.join(", ")} asks for. Expected one worker, or that left out.`,
    );
  }
}

/** Of the builders of a job the share of each of its workers. */
export function shareOf(builders: number, workers: number): number {
  return Math.max(1, Math.round(builders / workers));
}

/** Which worker has each task: whole families, the largest first, each to the worker that has fewest tasks so far. */
function shareOut(families: Families, count: number): number[] {
  const numbers: number[] = [];
  const loads = Array.from({ length: count }, () => 0);
  for (const tasks of [...families.values()].sort((a, b) => b.length - a.length)) {
    const least = loads.indexOf(Math.min(...loads));
    loads[least] = (loads[least] ?? 0) + tasks.length;
    for (const task of tasks) {
      numbers[task] = least;
    }
  }
  return numbers;
}
