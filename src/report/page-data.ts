import type { PairsOf } from "../protocol/operations/review.js";

/**
 * What a report's page shows, embedded in it as JSON. Times are seconds of tuning since the run began, costs and latencies
 * seconds; null means not known. The page only draws: everything is worked out before.
 */
export interface PageData {
  readonly title: string;
  /** Null on a page of logs: only a running job's own page follows it. */
  readonly live: Live | null;
  /** What a reader must know of the logs, a line each. */
  readonly notices: readonly string[];
  readonly runs: readonly PageRun[];
  readonly tasks: readonly PageTask[];
  /** The whole network first, then each family, then each task. */
  readonly selections: readonly Selection[];
}

/** Where a job is that serves a page of itself. */
export interface Live {
  /** Grows with everything that happens. */
  readonly version: number;
  readonly state: "starting" | "running" | "ended";
  /** What it does, or why it ended. */
  readonly words: string;
  /** Programs that this job has measured, of so many. */
  readonly measured: number;
  readonly trials: number;
}

/** One log, or what it holds for one target. */
export interface PageRun {
  readonly name: string;
  readonly target: string;
  /** Network, mode, search policy, and what else the journal says of how it was tuned. */
  readonly settings: readonly (readonly [name: string, value: string])[];
  readonly trials: number;
  readonly failures: number;
  readonly seconds: number;
  /** Why it ended, in words. */
  readonly ended: string | null;
  /** Of all rounds. */
  readonly rounds: number;
  /** Of some thousand rounds at most: the first, the last and those that improved most. Null without a journal. */
  readonly decisions: readonly Decision[] | null;
  /** Of all rounds of a task, by its place in `tasks`. */
  readonly phases: readonly (readonly [task: number, Phases])[];
  readonly origins: readonly OriginTotal[];
  readonly devices: readonly DeviceTotal[];
}

export interface PageTask {
  /** Its number in its network, where a journal says it, and its words. */
  readonly title: string;
  readonly words: string;
  readonly family: string | null;
  /** How often the network runs it. */
  readonly weight: number | null;
  /** What each run reached, in the runs' order; null where a run has no record of it. */
  readonly results: readonly (TaskResult | null)[];
}

export interface TaskResult {
  readonly best: number | null;
  readonly trials: number;
  readonly failures: number;
}

/** The latency from a moment on: seconds, programs measured in the run so far, latency. */
export type Point = readonly [seconds: number, trials: number, latency: number];

/** Tasks whose latencies, times their weights, are summed. */
export interface Selection {
  readonly label: string;
  readonly group: "network" | "family" | "task";
  /** By their places in `tasks`. */
  readonly tasks: readonly number[];
  /** Of each run: where the latency fell; empty where some task of it never ran. */
  readonly curves: readonly (readonly Point[])[];
  /** When each run had what the first run reached in the end; null where it never had. */
  readonly reached: readonly (Point | null)[];
}

/** A round, and why it was. */
export interface Decision {
  readonly round: number;
  /** When it was over. */
  readonly at: number;
  /** The task's place in `tasks`, and its number in its network, which reasons speak of. */
  readonly task: number;
  readonly id: number;
  readonly kind: string;
  readonly reason: string;
  readonly before: number | null;
  readonly after: number | null;
  readonly programs: number;
  readonly failed: string;
  /** Which origins gave how many programs, and the best cost of each. */
  readonly origins: Readonly<Record<string, { readonly programs: number; readonly best: number | null }>>;
  /** Of the pairs it was judged by, the share that the family's model had in order, and which pairs these were. */
  readonly accuracy: number | null;
  readonly accuracyOf: PairsOf;
  readonly phases: Phases;
  readonly notes: readonly string[];
}

/** Seconds of a round: searching, building, running (while the busiest device was timing), learning. */
export interface Phases {
  readonly search: number;
  readonly build: number;
  readonly run: number;
  readonly learn: number;
}

export interface DeviceTotal {
  readonly name: string;
  readonly programs: number;
  readonly failures: number;
  readonly seconds: number;
}

/** An origin that gave programs, in how many rounds, and in how many of these one of them became its task's best. */
export interface OriginTotal {
  readonly name: string;
  readonly programs: number;
  readonly rounds: number;
  readonly improved: number;
}
