import { InvalidRequestError } from "../errors.js";
import type { Task } from "./task.js";

/** What a job has to spend, and in which portions. */
export interface Budget {
  readonly tasks: readonly Task[];
  readonly trials: number;
  readonly trialsPerRound: number;
  readonly foreseeTrials: number;
  readonly earlyStopping?: number | null;
  readonly taskEarlyStopping?: number | null;
}

/** @throws InvalidRequestError for a budget that no job can run with. */
export function checkBudget(budget: Budget): void {
  const { tasks, trials, trialsPerRound, foreseeTrials } = budget;
  const count = tasks.length;
  if (count === 0) {
    throw new InvalidRequestError("There is no task to tune. Expected at least one.");
  }
  if (Math.floor(trials / count) < 1) {
    throw new InvalidRequestError(
      `${trials} trials are too few: there are ${count} tasks, and each is measured at least once. ` +
        `Ask for ${count} trials or more.`,
    );
  }
  requireAtLeast("trials per round", trialsPerRound, 1);
  requireAtLeast("programs of a foresee round", foreseeTrials, 0);
  requireAtLeast("early stopping", budget.earlyStopping ?? 0, 0);
  requireAtLeast("early stopping per task", budget.taskEarlyStopping ?? 0, 0);
}

/** @throws InvalidRequestError for anything but a whole number of at least `least`. */
export function requireAtLeast(what: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least) {
    throw new InvalidRequestError(`${what} is ${value}. Expected a whole number of at least ${least}.`);
  }
}
