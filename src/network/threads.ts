import { counted } from "../counted.js";
import { InvalidRequestError } from "../errors.js";
import type { Result } from "../protocol/operations/index.js";
import { readThreads } from "../records/journal.js";
import { isCuda } from "../target.js";
import type { Worker } from "../worker/worker.js";

/** How many threads programs run on, and who says so (protocol, `threads`). */
export type Threads = Result<"threads">;

export interface ThreadsOptions {
  readonly target: string;
  /** Threads that programs run on; null or left out: one for each real core that this process may use. */
  readonly threads?: number | null | undefined;
  /** Programs run on its servers, which have numbers of their own. */
  readonly tracker?: string | undefined;
}

/**
 * Has a worker find out how many threads programs run on, before it finds tasks; null where they run elsewhere than on its CPU.
 *
 * @throws InvalidRequestError for a number that cannot be, or that contradicts the user's TVM_NUM_THREADS.
 */
export async function askThreads(worker: Worker, options: ThreadsOptions): Promise<Threads | null> {
  const { target, threads = null, tracker } = options;
  if (threads !== null && !(Number.isInteger(threads) && threads >= 1)) {
    throw new InvalidRequestError(`${threads} threads are asked for. Expected a whole number of at least 1.`);
  }
  return isCuda(target) || tracker !== undefined ? null : await worker.request("threads", { asked: threads });
}

/** What a user must know of the number of threads, also where the records of a log were timed on another. */
export async function describeThreads(
  found: Threads | null,
  { threads }: Pick<ThreadsOptions, "threads">,
  logs: readonly string[],
): Promise<string[]> {
  if (found === null) {
    return typeof threads === "number"
      ? ["threads has no effect: it is for programs that run on this machine's CPU"]
      : [];
  }
  return [inWords(found), ...(await Promise.all(logs.map((log) => describeLog(log, found)))).flat()];
}

/** E.g. `programs run on 2 threads: this process may use 2 cores`. */
export function inWords({ count, by, cores }: Threads): string {
  const whose = by === "cores" ? "" : `, as ${by === "option" ? "--threads" : by} says`;
  return `programs run on ${threadsIn(count)}${whose}: this process may use ${counted(cores, "core")}`;
}

/** One line at most; none for a log without a journal. */
async function describeLog(log: string, { count, tvm }: Threads): Promise<string[]> {
  const timed = await readThreads(log);
  const others = timed.filter((each) => each !== null && each !== count);
  if (others.length > 0) {
    return [
      `${log}: its programs were timed on ${threadsIn(...others)}, and now run on ${count}; costs on one number say little of another`,
    ];
  }
  return timed.includes(null) && tvm !== count
    ? [
        `${log}: its journal says no number of threads; TVM's own was half of the CPUs, and now programs run on ${threadsIn(count)}`,
      ]
    : [];
}

function threadsIn(...counts: (number | null)[]): string {
  return `${counts.join(" and ")} thread${counts.at(-1) === 1 ? "" : "s"}`;
}
