import type { Decision } from "./page-data.js";

/** A round as it is kept: with its task's workload key in place of a number, and the moment it was over in seconds since 1970. */
export type KeptDecision = Omit<Decision, "task" | "at"> & { readonly workloadKey: string; readonly moment: number };

const FIRST = 1000;
const LAST = 1000;
const BETWEEN = 1000;

/**
 * The rounds of a tuning that a page shows, however many there were: the first and the last thousand, and between them
 * those that lowered their task's cost by the greatest factor. Up to 5,000 are kept, so that dropping is seldom.
 */
export class NotableDecisions {
  readonly #first: KeptDecision[] = [];
  #between: KeptDecision[] = [];
  #last: KeptDecision[] = [];
  #count = 0;

  /** Of all rounds, kept or not. */
  get count(): number {
    return this.#count;
  }

  /** In the order of the rounds. */
  get kept(): KeptDecision[] {
    return [...this.#first, ...this.#between, ...this.#last];
  }

  add(decision: KeptDecision): void {
    this.#count += 1;
    if (this.#first.length < FIRST) {
      this.#first.push(decision);
      return;
    }
    this.#last.push(decision);
    if (this.#last.length > 2 * LAST) {
      this.#between.push(...this.#last.slice(0, -LAST).filter(({ before, after }) => after !== before));
      this.#last = this.#last.slice(-LAST);
    }
    if (this.#between.length > 2 * BETWEEN) {
      const greatest = new Set([...this.#between].sort((a, b) => factor(b) - factor(a)).slice(0, BETWEEN));
      this.#between = this.#between.filter((each) => greatest.has(each));
    }
  }
}

/** By how much a round lowered its task's cost; the first program that ran counts most. */
function factor({ before, after }: KeptDecision): number {
  return before === null || after === null ? Number.MAX_VALUE : before / after;
}
