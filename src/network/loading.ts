import type { PastProgram } from "../core/decider.js";
import { InvalidRequestError } from "../errors.js";
import type { Skipped } from "../protocol/skip-reasons.js";
import { describeSkipped, inWords } from "../records/skipped.js";
import type { Worker } from "../worker/worker.js";

/** Bytes of a log; to its end if `to` is null. */
export interface LogPart {
  readonly log: string;
  readonly from: number;
  readonly to: number | null;
}

/** Records of a log that a worker has read and keeps, as far as they are of its tasks and target; oldest first. */
export interface LoadedRecords extends LogPart {
  /** Cost in seconds, null for a program that failed. */
  readonly records: readonly PastProgram[];
  readonly skipped: readonly Skipped[];
  /** How many of the records another TVM version wrote. */
  readonly matched: number;
}

/** Of which records a job takes over what it can. */
export interface Wanted {
  /** Those that were measured for other targets, too. */
  readonly otherTargets: boolean;
  /** Those of these tasks alone; null: of all. */
  readonly only: readonly number[] | null;
}

/** Has a worker read a part of a log. */
export async function loadRecords(worker: Worker, part: LogPart, wanted: Wanted): Promise<LoadedRecords> {
  const { otherTargets, only } = wanted;
  const params = { ...part, other_targets: otherTargets, only: only && [...only] };
  const { tasks, costs, skipped, matched } = await worker.request("load", params);
  return { ...part, records: tasks.map((task, index) => ({ task, cost: costs[index] ?? null })), skipped, matched };
}

/**
 * What a user must know of a log that was loaded: how many tasks it has a program for that ran, and what was skipped.
 *
 * @throws InvalidRequestError if it has records, but all of them are of other targets.
 */
export function describeLoaded(loaded: LoadedRecords, taskCount: number, target: string): string[] {
  const { log, records, skipped, matched } = loaded;
  const elsewhere = skipped.filter(({ reason }) => reason === "other-target" || reason === "other-device");
  if (records.length === 0 && elsewhere.length > 0) {
    const taken = elsewhere.some(({ reason }) => reason === "other-target");
    const hint = taken
      ? "What is fast there may not be fast here: tune for that target, or pass --accept-other-targets to take these records as they are."
      : "A GPU cannot run a CPU's programs, nor a CPU a GPU's: expected records for this kind of device.";
    const found = elsewhere.map(inWords).join(", ");
    throw new InvalidRequestError(`${log} has no record for the target ${target}, but ${found}. ${hint}`);
  }
  const ran = records.filter(({ cost }) => cost !== null);
  const covered = new Set(ran.map(({ task }) => task)).size;
  const failed =
    ran.length < records.length ? `; ${records.length - ran.length} of them are of programs that failed` : "";
  const byShape = matched > 0 ? `; ${matched} of them name tasks as another TVM version does, and were matched` : "";
  return [
    `${records.length} records of ${log} cover ${covered} of ${taskCount} tasks${failed}${byShape}`,
    ...describeSkipped(log, skipped),
  ];
}
