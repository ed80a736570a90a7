import type { FastStopReason } from "../decider.js";
import { LongOutlook } from "./outlook.js";

/** Before anything was gained, as many programs again are expected to take that share off the objective. */
const PRIOR = 0.25;
/** A job that no longer gains is to end sooner than a task is left for others: gains fade as the square of the programs. */
const FADING = 2;

/** Says when too little is to be gained by going on with a job: less than a share of its objective by as many programs again. */
export class LittleLeft {
  #outlook: LongOutlook | null = null;
  #trials = 0;
  #score = 0;

  /** `least`: the share; null: any gain is worth it. */
  constructor(
    private readonly least: number | null,
    /** Programs of a round on each task. */
    private readonly round: number,
  ) {}

  /** The job has measured so many programs, and its objective is `score`; every task has been looked at. */
  observe(trials: number, score: number): void {
    if (this.#outlook === null) {
      const before = Math.max(trials, this.round);
      this.#outlook = new LongOutlook(before, { more: before, share: PRIOR }, FADING);
    } else if (trials > this.#trials) {
      this.#outlook.observe(trials - this.#trials, this.#score, score);
    }
    this.#trials = trials;
    this.#score = score;
  }

  /** Why the job is to stop; null where it is not. */
  reason(): FastStopReason | null {
    const expected = this.#outlook?.expectedOfAsManyAgain ?? 1;
    return this.least !== null && expected < this.least
      ? { type: "little-left", trials: this.#trials, expected, least: this.least }
      : null;
  }
}
