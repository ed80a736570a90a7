import type { Origin, Recipe } from "./fast/recipe.js";

/**
 * What decides in a job, as `Scheduler` does in the reference mode and `FastScheduler` in the fast mode. `next()` gives an
 * action; once it is done, `observe()` takes what it measured. Neither does I/O or reads a clock, so the same observations,
 * scores and draws give the same actions. Those may come from another process, which is why all wait. Tasks are named by
 * their places in the list of those that are decided on.
 */
export interface Decider {
  /** Programs of a round; fewer than asked for where the job's trials would not give every task a round. */
  readonly trialsPerRound: number;
  /** Programs measured so far. */
  readonly trials: number;
  /** The objective of the best costs; tasks of which no program ran count with `UNMEASURED_COST`. */
  readonly score: number;
  /** Best cost of each task in seconds; `UNMEASURED_COST` where no program ran. */
  readonly bestCosts: readonly number[];
  /** The next thing to do. Asking again before `observe()` gives the same answer. */
  next(): Promise<Action | FastAction>;
  /**
   * Takes what the last search action measured; nothing at all says that there is nothing left of what was asked for.
   *
   * @throws Error if no search is pending.
   */
  observe(measured: readonly MeasuredProgram[], report: RoundReport): Promise<RoundOutcome>;
  /**
   * What the next search on the tasks that are asked for will most likely be, while the pending one is still measured. Null
   * where that cannot be said. Nothing is decided by asking.
   */
  likelyNext(among?: (task: number) => boolean): Promise<LikelySearch | null>;
}

/** A task, and how many programs of it. */
export interface SearchTarget {
  readonly task: number;
  readonly programs: number;
}

/** Without a recipe the programs come from the evolution alone, as in the reference. */
export type LikelySearch = SearchTarget & { readonly recipe?: Recipe };

export type Action = SearchAction | StopAction;

export interface SearchAction extends SearchTarget {
  readonly type: "search";
  readonly reason: SearchReason;
}

export type FastAction = FastSearch | FastStopAction;

export interface FastSearch extends SearchTarget {
  readonly type: "search";
  readonly reason: FastReason;
  readonly recipe: Recipe;
}

export interface StopAction {
  readonly type: "stop";
  readonly reason: StopReason;
}

export interface FastStopAction {
  readonly type: "stop";
  readonly reason: FastStopReason;
}

/** Why a task was chosen. `gradient` is the task's when the round (or the main round before it) was chosen. */
export type SearchReason =
  | { readonly type: "warm-up" }
  | { readonly type: "next-in-turn" }
  | { readonly type: "steepest"; readonly gradient: number }
  /** All gradients were equal; `among` so many tasks. */
  | { readonly type: "drawn"; readonly among: number; readonly gradient: number }
  /** `among` so many siblings that are not dead; drawn where their gradients were all equal. */
  | {
      readonly type: "foresee";
      readonly family: string;
      readonly after: number;
      readonly among: number;
      readonly drawn: boolean;
      readonly gradient: number;
    };

/** What an expected gain is counted by. */
export type RateUnit = "second" | "program";

/**
 * Why a task was chosen in the fast mode. `rate` is what the objective was expected to fall by, in seconds `per` second of
 * tuning or program.
 */
export type FastReason =
  | { readonly type: "first-look"; readonly family: string; readonly first: boolean }
  | { readonly type: "expected-gain"; readonly rate: number; readonly next: number | null; readonly per: RateUnit }
  | {
      readonly type: "expected-of-schedules";
      readonly family: string;
      readonly after: number;
      readonly gain: number;
      readonly rate: number;
      readonly per: RateUnit;
    };

export type StopReason =
  | { readonly type: "trials-spent"; readonly trials: number }
  | { readonly type: "all-tasks-dead" }
  | { readonly type: "no-improvement"; readonly trials: number };

/** Why a job ends in the fast mode. */
export type FastStopReason =
  | StopReason
  /** Of the objective, as many programs again are `expected` to take off that share, and `least` is the least worth it. */
  | { readonly type: "little-left"; readonly trials: number; readonly expected: number; readonly least: number };

/**
 * Why a task is searched no further: nothing is left to measure, too many programs brought nothing, it is as fast as
 * the machine can be, or none of its programs ever ran (`dead-tasks.ts` of either mode).
 */
export type DeathReason = "exhausted" | "unimproved" | "at-the-roof" | "never-ran";

/** A program that was measured: seconds, or null if it failed, and where it came from. */
export interface MeasuredProgram {
  readonly cost: number | null;
  readonly origin: Origin;
  /** Whether other work on the machine made it seem slower than it is; left out: no. */
  readonly disturbed?: boolean;
}

/** A program of an earlier run: its task, and its cost in seconds, or null if it failed. */
export interface PastProgram {
  readonly task: number;
  readonly cost: number | null;
}

/** What a round gives besides its programs: the seconds it took, and the model's accuracy, null where it knew too little. */
export interface RoundReport {
  readonly seconds: number;
  /** Of the pairs that the family's model was judged by, the share whose order it had foreseen. */
  readonly accuracy: number | null;
}

/** What a round did to the state. */
export interface RoundOutcome {
  /** Best cost of the task in seconds before and after; null while no program ran. */
  readonly before: number | null;
  readonly after: number | null;
  /** Set where the round left the task dead. */
  readonly died: DeathReason | null;
  /** The objective after the round; null while some task has no program that ran. */
  readonly score: number | null;
  /** Programs measured in the job so far. */
  readonly trials: number;
}
