import type { StopReason } from "../decider.js";

/** Ends a job of which so many programs brought no better objective since warm-up. */
export class EarlyStopping {
  #score = Number.NaN;
  #trials = 0;

  /** Null: it never does. */
  constructor(private readonly after: number | null) {}

  /** The best score since warm-up, and the programs measured when it was reached; NaN and 0 before. */
  get best(): { readonly score: number; readonly trials: number } {
    return { score: this.#score, trials: this.#trials };
  }

  /** Counts from here on. */
  begin(score: number, trials: number): void {
    this.#score = score;
    this.#trials = trials;
  }

  /** A job with tasks that no program ran of goes on. */
  afterRound(score: number, trials: number, allMeasured: boolean): StopReason | null {
    if (score < this.#score) {
      this.begin(score, trials);
      return null;
    }
    const unimproved = trials - this.#trials;
    const stop = this.after !== null && unimproved >= this.after && allMeasured;
    return stop ? { type: "no-improvement", trials: unimproved } : null;
  }
}
