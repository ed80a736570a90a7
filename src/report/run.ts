import { InvalidRequestError } from "../errors.js";
import { type JournalEntry, journalEntries } from "../records/journal.js";
import { logRecords } from "../records/log.js";
import { isSimulated } from "../records/simulated.js";
import { describeSkipped, SkippedLines } from "../records/skipped.js";
import type { Decision, DeviceTotal, OriginTotal, Phases, Point } from "./page-data.js";
import { RunsSoFar } from "./run-so-far.js";

/** A task as a journal describes it. */
export type DescribedTask = Extract<JournalEntry, { type: "started" }>["tasks"][number];

/** What the records of a log say of one task. */
export interface TaskProgress {
  trials: number;
  failures: number;
  /** Seconds; null while no program ran. */
  best: number | null;
  /** Where its best cost fell. */
  improvements: Point[];
}

/** A round with its task's workload key in place of a number. */
export type RunDecision = Omit<Decision, "task"> & { readonly workloadKey: string };

/** What a log holds for one target, gathered. */
export interface Run {
  readonly name: string;
  readonly target: string;
  /** From the journal's last job; null without a journal. */
  readonly options: Readonly<Record<string, unknown>> | null;
  readonly described: ReadonlyMap<string, DescribedTask>;
  /** By workload key, in the order of the records. */
  readonly tasks: ReadonlyMap<string, TaskProgress>;
  readonly trials: number;
  readonly failures: number;
  readonly seconds: number;
  readonly ended: string | null;
  /** How many there were; `decisions` are those worth showing, null without a journal. */
  readonly rounds: number;
  readonly decisions: readonly RunDecision[] | null;
  /** Of all rounds of a task, by its workload key. */
  readonly phases: ReadonlyMap<string, Phases>;
  readonly origins: readonly OriginTotal[];
  readonly devices: readonly DeviceTotal[];
  /** What was left out of its log. */
  readonly notices: readonly string[];
}

/**
 * Reads a log and the journal beside it: a run for each target in the log.
 *
 * @throws InvalidRequestError if the log cannot be read, is none or is empty, or the journal is none.
 */
export async function readRuns(log: string, name: string): Promise<Run[]> {
  const { measured, notices } = await readRunsSoFar(log);
  if (measured.length === 0) {
    throw new InvalidRequestError(
      `The log ${log} holds no record. Expected a file in which a tuning has recorded programs.`,
    );
  }
  return measured.map((run) => {
    const parts = [measured.length > 1 && run.target, isSimulated(run.target) && "simulated"];
    return run.named([name, ...parts.filter(Boolean)].join(", "), notices);
  });
}

/**
 * As {@link readRuns}, for more to be added.
 *
 * @throws InvalidRequestError if the log cannot be read or is none, or the journal is none.
 */
export async function readRunsSoFar(log: string): Promise<RunsSoFar> {
  const runs = new RunsSoFar();
  for await (const entry of journalEntries(log)) {
    runs.addEntry(entry);
  }
  const skipped = new SkippedLines();
  for await (const record of logRecords(log, skipped)) {
    runs.addRecord(record);
  }
  runs.notices = describeSkipped(log, skipped.all);
  return runs;
}
