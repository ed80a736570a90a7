import { writeFile } from "node:fs/promises";

/** Logs and journals as a tuning writes them, of any length, with costs from a formula. */

/** 2026-11-24T10:00:00Z, in seconds since 1970. */
export const BEGUN = Date.UTC(2026, 10, 24, 10) / 1000;

export interface WrittenRecord {
  readonly key: string;
  /** Seconds; null for a program that failed. */
  readonly cost: number | null;
  /** Seconds since {@link BEGUN}. */
  readonly at: number;
  readonly target?: string;
}

export function recordLine({ key, cost, at, target = "llvm" }: WrittenRecord): string {
  return JSON.stringify({
    i: [
      [key, target, []],
      [[], []],
    ],
    r: [[cost ?? 1e10], cost === null ? 4 : 0, 0.1, Math.floor(BEGUN + at)],
    v: "v0.6",
  });
}

export async function writeLog(path: string, records: readonly WrittenRecord[]): Promise<void> {
  await writeFile(path, records.map((record) => `${recordLine(record)}\n`).join(""));
}

export interface WrittenTask {
  /** Its number in the network; its place among these tasks if left out. */
  readonly id?: number;
  readonly key: string;
  readonly words?: string;
  readonly family?: string | null;
  readonly weight?: number;
}

export function startedLine(tasks: readonly WrittenTask[], at = 0, target = "llvm", tuner?: string): string {
  return JSON.stringify({
    time: moment(at),
    type: "started",
    ...(tuner === undefined ? {} : { tuner }),
    target,
    options: { model: "mlp", mode: "fast", searchPolicy: "sketch.xgb.family_op", seed: 0 },
    tasks: tasks.map(({ key, words = key, family = null, weight = 1, id }, place) => ({
      id: id ?? place,
      workloadKey: key,
      words,
      family,
      weight,
      flops: 1e6,
    })),
  });
}

export interface WrittenRound {
  readonly index: number;
  readonly task: number;
  readonly at: number;
  readonly before: number | null;
  readonly after: number | null;
  readonly reason?: unknown;
}

/** A round of eight programs: a second of search, three of measuring, two of which a device was timing. */
export function roundLine({ index, task, at, before, after, reason = { type: "warm-up" } }: WrittenRound): string {
  return JSON.stringify({
    time: moment(at),
    type: "round-finished",
    round: { index, task, programs: 8, reason },
    outcome: { before, after, died: false, score: 1, trials: (index + 1) * 8 },
    costs: Array.from({ length: 8 }, () => after),
    failures: {},
    origins: { descent: { programs: 8, best: after } },
    accuracy: 0.5,
    devices: { local: { programs: 8, failures: 0, seconds: 2 } },
    notices: [],
    firstError: null,
    seconds: { propose: 1, measure: 3, learn: 0.5 },
  });
}

export function finishedLine(at: number): string {
  return JSON.stringify({ time: moment(at), type: "finished", reason: { type: "trials-spent", trials: 8 }, trials: 8 });
}

export async function writeJournal(log: string, lines: readonly string[]): Promise<void> {
  await writeFile(`${log}.journal.jsonl`, `${lines.join("\n")}\n`);
}

function moment(at: number): string {
  return new Date((BEGUN + at) * 1000).toISOString();
}

/** A log of so many records of 32 tasks in four families, eight a round, and its journal. */
export async function writeLargeLog(path: string, records: number): Promise<void> {
  const tasks = Array.from({ length: 32 }, (_, task) => ({
    key: `["${String(task).padStart(32, "0")}", [1, ${task}]]`,
    words: `conv2d 3x3 28x28x${task} -> 64`,
    family: `nn.family${task % 4}`,
    weight: 1 + (task % 3),
  }));
  const written: WrittenRecord[] = [];
  const journal = [startedLine(tasks)];
  const best = tasks.map((): number | null => null);
  for (let index = 0; written.length < records; index += 1) {
    const task = (index * 7) % tasks.length;
    const at = index * 5 + 5;
    const before = best[task] ?? null;
    const after = 1e-3 / (1 + Math.floor(index / tasks.length));
    best[task] = after;
    for (let program = 0; program < 8; program += 1) {
      written.push({ key: tasks[task]?.key ?? "", cost: after * (1 + (7 - program) / 20), at });
    }
    const reason = { type: "steepest", gradient: -after };
    journal.push(roundLine({ index, task, at, before, after, reason }));
  }
  await writeLog(path, written);
  await writeJournal(path, journal);
}
