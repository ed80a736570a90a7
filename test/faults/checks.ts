import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { UNMEASURED_COST } from "../../src/core/task.js";
import { pythonFolder, tvmPython } from "../../src/worker/installation.js";
import type { Job } from "./job.js";
import { marked } from "./processes.js";

/** How long what a job started may take to be gone after it. */
const GONE_MS = 15_000;

export interface Count {
  /** Records in the log. */
  readonly records: number;
  /** Reported, but not in the log. */
  readonly lost: number;
  /** In the log twice. */
  readonly doubled: number;
}

/** Compares the records of a job's log with those that were reported, by task and cost. */
export async function countRecords({ recordsFile, reported, keys }: Job): Promise<Count> {
  const text = existsSync(recordsFile) ? await readFile(recordsFile, "utf8") : "";
  // One cut short by a kill is none, and was not reported.
  const lines = text.split("\n").slice(0, -1);
  const there = new Map<string, number>();
  for (const key of lines.map((line) => keyOfLine(line, keys))) {
    there.set(key, (there.get(key) ?? 0) + 1);
  }
  let lost = 0;
  for (const { task, cost } of reported) {
    const key = keyOf(keys[task], cost);
    const left = there.get(key) ?? 0;
    lost += left === 0 ? 1 : 0;
    there.set(key, left - 1);
  }
  return { records: lines.length, lost, doubled: lines.length - new Set(lines).size };
}

function keyOfLine(line: string, keys: Job["keys"]): string {
  const content = JSON.parse(line);
  if (Array.isArray(content)) {
    const [workload, [, [seconds]]] = content;
    return keyOf(keys[workload], seconds === UNMEASURED_COST ? null : seconds);
  }
  const { i, r } = content;
  const [[cost], error] = r;
  return keyOf(i[0][0], error === 0 ? cost : null);
}

/** TVM writes six digits of a cost. */
function keyOf(task: string | undefined, cost: number | null): string {
  return `${task} ${cost?.toPrecision(6)}`;
}

/** What a job left: processes, and files among the temporary ones; sockets are of the former or the latter. */
export async function leftovers(job: Job): Promise<string[]> {
  let left: string[] = [];
  for (const end = performance.now() + GONE_MS; performance.now() < end; ) {
    const processes = marked(job.mark).map(
      ({ pid, name, arguments: args }) => `process ${pid} ${name} ${args.join(" ")}`,
    );
    const files = (await readdir(job.temporary)).map((name) => `temporary ${name}`);
    left = [...processes, ...files];
    if (left.length === 0) {
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return left;
}

/** Plain TVM, which reads one log after another. */
export class PlainTvm {
  readonly #process = execa(tvmPython(), ["test/python/read_records.py"], {
    env: { PYTHONPATH: pythonFolder },
    reject: false,
    buffer: false,
    stderr: "ignore",
  });
  readonly #answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();

  /** How many records it finds, or what is wrong. */
  async read(log: string): Promise<string> {
    this.#process.stdin.write(`${log}\n`);
    const { value, done } = await this.#answers.next();
    return done ? "TVM ended while it read" : value;
  }

  async end(): Promise<void> {
    this.#process.stdin.end();
    await this.#process;
  }
}
