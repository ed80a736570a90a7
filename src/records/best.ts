import type { LogRecord } from "./record.js";

/** The best record of one task in a log, and how much was tried for it. */
export interface BestRecord {
  readonly workloadKey: string;
  readonly target: string;
  /** Seconds; null if every program failed. */
  readonly cost: number | null;
  readonly trials: number;
  readonly failures: number;
  /** The record's own line; null if every program failed. */
  readonly line: string | null;
}

/** The best record of every task of a log, in the order the tasks first appear. No more is in memory of a log that streams. */
export async function bestRecords(records: Iterable<LogRecord> | AsyncIterable<LogRecord>): Promise<BestRecord[]> {
  const best = new Map<string, BestRecord>();
  for await (const { workloadKey, target, cost, line } of records) {
    const key = `${target}\n${workloadKey}`;
    const before = best.get(key) ?? { workloadKey, target, cost: null, trials: 0, failures: 0, line: null };
    const better = cost !== null && (before.cost === null || cost < before.cost);
    best.set(key, {
      ...before,
      trials: before.trials + 1,
      failures: before.failures + (cost === null ? 1 : 0),
      // A copy of the line: a part of a text that was read keeps all of that text in memory.
      ...(better ? { cost, line: Buffer.from(line).toString() } : {}),
    });
  }
  return [...best.values()];
}
