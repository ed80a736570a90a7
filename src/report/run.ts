import type { JournalEntry } from "../records/journal.js";
import type { Decision, DeviceTotal, OriginTotal, Phases, Point } from "./page-data.js";

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
  /** What searched, of the journal's last job; null without a journal. */
  readonly tuner: string | null;
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
