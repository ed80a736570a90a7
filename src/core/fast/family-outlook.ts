import type { Task } from "../task.js";
import { Likeness } from "./likeness.js";
import { OriginShares } from "./origin-shares.js";

/**
 * After its first look a task is expected to gain half of what it lacks to the best throughput of its family, within
 * these bounds; alone in its family, the mean of them.
 */
const LEAST_PRIOR = 0.1;
const MOST_PRIOR = 0.5;
/** How much the newest counts in what is expected of the next. */
const NEWEST = 0.5;
/** The same of how well the model orders programs; before it has ordered any it is taken to order them by chance. */
const NEWEST_OF_ORDER = 0.25;
const BY_CHANCE = 0.5;

/** What the rounds of a family's tasks say of those to come. */
export class FamilyOutlook {
  readonly likeness: Likeness;
  /** Work that is expected of all its tasks, in parts of what a task has on average. */
  readonly work: number;
  readonly shares = new OriginShares();
  /** FLOP/s; 0 until a program ran. */
  #bestThroughput = 0;
  /** How much of the order of programs the model foresees lately, 0 to 1. */
  #accuracy: number | null = null;
  #lastingAccuracy = BY_CHANCE;

  constructor(
    readonly name: string,
    members: readonly number[],
    tasks: readonly Task[],
    /** Of each task, in the same parts. */
    work: readonly number[],
    /** Whether there are schedules of earlier jobs to fit. */
    readonly carriedOver: boolean,
    /** Whether its tasks of other compute DAGs are siblings whose schedules count. */
    across: boolean | null = true,
  ) {
    this.likeness = new Likeness(members, tasks, across);
    this.work = members.reduce((sum, id) => sum + (work[id] ?? 0), 0);
  }

  /** The model's lately, 0 to 1; 0 as long as it is not known. */
  get accuracy(): number {
    return this.#accuracy ?? 0;
  }

  /** The model's over many rounds: by how much it is above chance says whether it is worth a large evolution. */
  get lastingAccuracy(): number {
    return this.#lastingAccuracy;
  }

  /** A task has a program of so many FLOP/s. */
  reached(throughput: number): void {
    this.#bestThroughput = Math.max(this.#bestThroughput, throughput);
  }

  /** Of the pairs that the model was judged by after a round, the share that it had in order. */
  foresaw(accuracy: number): void {
    this.#accuracy = mixed(this.#accuracy, accuracy);
    this.#lastingAccuracy += NEWEST_OF_ORDER * (accuracy - this.#lastingAccuracy);
  }

  /** The share of its cost that a task of so many FLOP/s is expected to gain before it has been searched. */
  prior(throughput: number): number {
    if (this.likeness.size === 1 || this.#bestThroughput <= 0) {
      return (LEAST_PRIOR + MOST_PRIOR) / 2;
    }
    return Math.min(MOST_PRIOR, Math.max(LEAST_PRIOR, (1 - throughput / this.#bestThroughput) / 2));
  }
}

/** What is expected after `newest`, having expected `before`: the newest counts half. */
export function mixed(before: number | null, newest: number): number {
  return before === null ? newest : (1 - NEWEST) * before + NEWEST * newest;
}
