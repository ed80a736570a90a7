import { InvalidRequestError } from "../../errors.js";
import { checkBudget, requireAtLeast } from "../budget.js";
import type { PastProgram } from "../decider.js";
import type { Families } from "../families.js";
import type { ScoreAll } from "../objective.js";
import type { Draw } from "../random.js";
import { STRATEGIES, type Strategy } from "../search-policy.js";
import type { Task } from "../task.js";
import type { StartingPoint } from "./progress.js";

export interface SchedulerOptions {
  readonly tasks: readonly Task[];
  /** Null: no families, and so no foresee rounds; the decisions are TVM's own. */
  readonly families: Families | null;
  /**
   * The objective; null: the weighted sum, the latency of the whole network, for which a decision costs O(log n) for n
   * tasks. Any other is asked for n scores per decision.
   */
  readonly scoreAll?: ScoreAll | null;
  /** Programs to measure in the whole job. A round is never cut short, so a job may end a round above it. */
  readonly trials: number;
  /** Programs per round; less is asked for where `trials` would not give every task a round. */
  readonly trialsPerRound: number;
  readonly draw: Draw;
  readonly strategy?: Strategy;
  readonly alpha?: number;
  readonly beta?: number;
  /** Taken and kept as TVM's scheduler does, which decides nothing by it either. */
  readonly gamma?: number;
  readonly backwardWindow?: number;
  /** Stop the job after this many programs without a better objective; null: never. */
  readonly earlyStopping?: number | null;
  /** Stop a task after this many programs without a better program; null: never. */
  readonly taskEarlyStopping?: number | null;
  /** Programs of a foresee round; 0: there are none. */
  readonly foreseeTrials?: number;
  /**
   * Search a task no further if no program ran of it in warm-up, as TVM does since 0.18. FamilySeer's own scheduler goes
   * on with it, and, as its cost counts as 1e10 seconds, hardly with anything else.
   */
  readonly giveUpUnmeasured?: boolean;
  /** Programs of an earlier run, oldest first. */
  readonly measuredBefore?: readonly PastProgram[];
  /** Programs of an earlier run that `trials` counts, too. */
  readonly trialsBefore?: number;
  /** How far each task has come when the job starts, where it does not start from nothing. */
  readonly startAt?: readonly StartingPoint[];
}

export const SCHEDULER_DEFAULTS = {
  scoreAll: null,
  strategy: "gradient",
  alpha: 0.2,
  beta: 2,
  gamma: 0.5,
  backwardWindow: 3,
  earlyStopping: null,
  taskEarlyStopping: null,
  foreseeTrials: 16,
  giveUpUnmeasured: true,
  measuredBefore: [],
  trialsBefore: 0,
  startAt: [],
} as const satisfies Partial<SchedulerOptions>;

export type CompleteOptions = Required<SchedulerOptions>;

/**
 * The options with the defaults of those left out.
 *
 * @throws InvalidRequestError for options that no job can run with.
 */
export function completeOptions(given: SchedulerOptions): CompleteOptions {
  const options: CompleteOptions = { ...SCHEDULER_DEFAULTS, ...given };
  checkBudget(options);
  requireAtLeast("backward window", options.backwardWindow, 1);
  if (!(options.alpha >= 0 && options.alpha <= 1)) {
    throw new InvalidRequestError(`alpha is ${options.alpha}. Expected a number from 0 to 1.`);
  }
  if (!(options.beta > 0)) {
    throw new InvalidRequestError(`beta is ${options.beta}. Expected a number above 0.`);
  }
  if (!STRATEGIES.includes(options.strategy)) {
    throw new InvalidRequestError(
      `Unknown strategy: ${options.strategy}. The strategies are ${STRATEGIES.join(", ")}.`,
    );
  }
  return options;
}
