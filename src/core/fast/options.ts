import { InvalidRequestError } from "../../errors.js";
import { checkBudget, requireAtLeast } from "../budget.js";
import type { PastProgram } from "../decider.js";
import type { Families } from "../families.js";
import type { Objective } from "../objective.js";
import type { Task } from "../task.js";
import { EVOLUTIONS, type Evolutions } from "./evolutions.js";
import { DEFAULT_FAST_FLAGS, type FastFlags } from "./flags.js";

/** What a family's model expects a task's best schedules to gain in each sibling, as a share of its throughput. */
export type ExpectGains = (task: number, siblings: readonly number[]) => Promise<readonly number[]>;

export interface FastSchedulerOptions extends FastFlags {
  readonly tasks: readonly Task[];
  /** Null: each task is a family of its own. */
  readonly families: Families | null;
  /** What to make small; null: the weighted sum of the tasks' costs. */
  readonly objective: Objective | null;
  /** Programs to measure in the whole job; a round is cut short at its end. */
  readonly trials: number;
  /** Programs of a round; the first look at a family's first task takes up to twice as many. */
  readonly trialsPerRound: number;
  /** The programs of that look at most, where they are to be fewer. */
  readonly firstLook?: number | null;
  /** Programs of the first look at each further task of a family, and of a foresee round, at most. */
  readonly foreseeTrials: number;
  readonly expectGains: ExpectGains;
  /** Programs of a generation and generations, where the population does not adapt. */
  readonly population: number;
  readonly generations: number;
  /** How large evolutions are where the population adapts; Ansor's if left out. */
  readonly evolutions?: Evolutions;
  /** @deprecated These flags are options themselves. */
  readonly means?: FastFlags;
  /** Families for which there are schedules of earlier jobs to fit. */
  readonly carriedOver?: readonly string[];
  /** A bound on each task's cost from below, in seconds, where one is known. */
  readonly leastCosts?: readonly (number | null)[];
  /** Stop the job after this many programs without a better objective; null: never. */
  readonly earlyStopping?: number | null;
  /** Stop a task after this many programs without a better program; null: never. */
  readonly taskEarlyStopping?: number | null;
  /** Programs of an earlier run, oldest first. */
  readonly measuredBefore?: readonly PastProgram[];
  /** Programs of an earlier run that `trials` counts, too. */
  readonly trialsBefore?: number;
}

const FAST_SCHEDULER_DEFAULTS = {
  ...DEFAULT_FAST_FLAGS,
  evolutions: EVOLUTIONS.ansor,
  firstLook: null,
  carriedOver: [],
  leastCosts: [],
  earlyStopping: null,
  taskEarlyStopping: null,
  measuredBefore: [],
  trialsBefore: 0,
} as const satisfies Partial<FastSchedulerOptions>;

export type CompleteFastOptions = Required<Omit<FastSchedulerOptions, "means">>;

/**
 * The options with the defaults of those left out.
 *
 * @throws InvalidRequestError for options that no job can run with.
 */
export function completeOptions(given: FastSchedulerOptions): CompleteFastOptions {
  const options = { ...FAST_SCHEDULER_DEFAULTS, ...given.means, ...given };
  checkBudget(options);
  requireAtLeast("programs of a foresee round", options.foreseeTrials, 1);
  requireShare("margin of the roof", options.roofMargin);
  requireShare("least gain", options.leastGain ?? 0);
  return options;
}

/** @throws InvalidRequestError for what is no share. */
function requireShare(what: string, value: number): void {
  if (!(value >= 0 && value < 1)) {
    throw new InvalidRequestError(`${what} is ${value}. Expected a share, at least 0 and less than 1, e.g. 0.01.`);
  }
}
