import type { FastReason, FastStopReason, RoundOutcome, SearchReason, SearchTarget } from "../core/decider.js";
import type { Origin } from "../core/fast/recipe.js";
import type { NetworkTask } from "../network/tasks.js";
import type { DescribedInput } from "../protocol/operations/extract.js";
import type { MeasuredEvent } from "../protocol/operations/measure.js";
import type { PairsOf } from "../protocol/operations/review.js";
import type { JournaledEnd } from "../records/journal.js";

/** A task with what people want to know of it. */
export interface NamedTask extends NetworkTask {
  /** The family's name; null without families. */
  readonly family: string | null;
}

/** Of each kind of failure, how many programs. */
export type Failures = Readonly<Record<string, number>>;

/** The end of a job of which no program ran: once every task had a round, no further trial is spent. */
export interface NothingRan {
  readonly type: "nothing-ran";
  /** How many were measured; 0 where TVM could lower none. */
  readonly programs: number;
  readonly failures: Failures;
  readonly firstError: string | null;
}

/** Why a job ended. */
export type EndReason = FastStopReason | NothingRan | { readonly type: "cancelled" };

/** Programs that ran on a device, how many of them failed, and the seconds they took there. */
export interface DeviceShare {
  readonly programs: number;
  readonly failures: number;
  readonly seconds: number;
}

/** Programs that came from one origin, and the best cost among them in seconds; null if none ran. */
export interface OriginShare {
  readonly programs: number;
  readonly best: number | null;
}

/** What a round keeps of a program. */
export interface Program extends Pick<MeasuredEvent, "cost" | "message" | "device" | "origin" | "disturbed"> {
  /** One that a journal tells of may be of a kind that is not known here. */
  readonly failure: string | null;
  /** How long it ran on its device. */
  readonly timingSeconds: number;
}

/** What a job has behind it when it starts: programs that count as its own, and best costs in seconds, one for each of its tasks. */
export interface Before {
  readonly programs: readonly number[];
  readonly bestCosts: readonly (number | null)[];
}

/** How far a job had come that now goes on by its journal. */
export interface Resumed {
  readonly rounds: number;
  /** Programs of the round that was cut short and is gone on with; 0 if none was. */
  readonly inRound: number;
}

export interface Round extends SearchTarget {
  readonly reason: SearchReason | FastReason;
  /** Counted from 0 over the whole job. */
  readonly index: number;
}

/**
 * What a job tells while it runs. Costs are seconds per program; `bestCosts` has one for each of the job's tasks, in their order.
 * Every other `task` is a number in the network, the `id` of one of them.
 */
export type TuneEvent =
  | {
      readonly type: "started";
      /** What searches: `ansor`, `metaschedule`. */
      readonly tuner: string;
      /** The one asked for, or the tuner's own. */
      readonly searchPolicy: string;
      readonly target: string;
      /** What the network is compiled for. */
      readonly inputs: readonly DescribedInput[];
      readonly tasks: readonly NamedTask[];
      readonly tasksFromCache: boolean;
      readonly trials: number;
      readonly trialsPerRound: number;
      /** Threads that programs run on; null where that is not this machine's CPU. */
      readonly threads: number | null;
      /** Records taken over: of `loadLog`, and of the job that goes on. */
      readonly recordsTaken: number;
      readonly before: Before;
      /** Null for a job that is new, or goes on from records alone. */
      readonly resumed: Resumed | null;
      /** What is not done as asked, a line each. */
      readonly notices: readonly string[];
    }
  /** The job to go on with has ended; nothing is done. */
  | { readonly type: "ended-before"; readonly reason: JournaledEnd }
  | { readonly type: "round-started"; readonly round: Round }
  | {
      readonly type: "measured";
      readonly task: number;
      readonly cost: number | null;
      readonly failure: string | null;
      readonly message: string | null;
      /** Where it ran; null if it never did. */
      readonly device: string | null;
      readonly origin: Origin;
      /** Whether other work on the machine made it seem slower than it is. */
      readonly disturbed: boolean;
      /** How often it was timed: again where it had been disturbed. */
      readonly timings: number;
    }
  | {
      readonly type: "round-finished";
      readonly round: Round;
      readonly outcome: RoundOutcome;
      readonly costs: readonly (number | null)[];
      readonly failures: Failures;
      /** What each origin gave; empty where evolution alone was at work, as in the reference. */
      readonly origins: Readonly<Record<string, OriginShare>>;
      /** Of the pairs it was judged by, the share that the family's model had in order; null where it knew too little. */
      readonly accuracy: number | null;
      /** Which pairs: of the round's programs with one another, or with earlier ones of the task. */
      readonly accuracyOf: PairsOf;
      /** What each device did in this round, by its name. */
      readonly devices: Readonly<Record<string, DeviceShare>>;
      /** Devices that were lost, came back or differ in speed, in words. */
      readonly notices: readonly string[];
      /** The first error's message where every program failed. */
      readonly firstError: string | null;
      /** `total` has what the round took before it was cut short, too. */
      readonly seconds: {
        readonly propose: number;
        readonly measure: number;
        readonly learn: number;
        readonly total: number;
      };
    }
  | {
      readonly type: "finished";
      readonly reason: EndReason;
      readonly trials: number;
      readonly failures: number;
      /** The objective; null while some task has no program that ran. */
      readonly score: number | null;
      /** None where the job was cancelled before it began. */
      readonly bestCosts: readonly (number | null)[];
      readonly seconds: number;
      /** Of the time in rounds, what the worker did not spend: deciding, the channel, the log and the journal. */
      readonly overheadSeconds: number;
      readonly modelsFolder: string | null;
      /** What is not done as asked, a line each. */
      readonly notices: readonly string[];
    };
