import { mixed } from "./family-outlook.js";

/** What the gains of some programs say of those of the next. */
export interface Outlook {
  /** Programs brought what is made small from `before` to `after`. */
  observe(programs: number, before: number, after: number): void;
  /** The share of it that so many more programs are expected to take off. */
  expected(programs: number): number;
}

/** One round tells of no greater gain than this, as a logarithm: more of it was luck. */
const MOST_TOLD = 0.3;

/**
 * Gains become rare as programs become many: what is made small is taken to fall like a power of their number, so that as many
 * again gain as much each time. A round's gain counts the less the more programs followed it.
 */
export class LongOutlook implements Outlook {
  /** Logarithms, fading: of what was gained, and of how many times as many programs there were after as before. */
  #gained: number;
  #grown: number;

  /** As if `more` programs after the first `programs` had gained that share. */
  constructor(
    private programs: number,
    { more, share }: { readonly more: number; readonly share: number },
    /** The power of the number of programs by which gains fade. */
    private readonly fading = 1,
  ) {
    this.#gained = -Math.log(1 - share);
    this.#grown = Math.log(1 + more / programs);
  }

  observe(programs: number, before: number, after: number): void {
    const growth = 1 + programs / this.programs;
    const fade = growth ** -this.fading;
    this.#gained = fade * this.#gained + gain(before, after);
    this.#grown = fade * this.#grown + Math.log(growth);
    this.programs += programs;
  }

  get expectedOfAsManyAgain(): number {
    return this.expected(this.programs);
  }

  expected(programs: number): number {
    return 1 - (1 + programs / this.programs) ** (-this.#gained / this.#grown);
  }
}

/** The last rounds alone, the newest as much as all before it, however large they were. */
export class ShortOutlook implements Outlook {
  constructor(private share: number) {}

  observe(_programs: number, before: number, after: number): void {
    this.share = mixed(this.share, (before - after) / before);
  }

  expected(): number {
    return this.share;
  }
}

/** As a logarithm. An objective of somebody's own may be below zero, where there are no shares of it. */
function gain(before: number, after: number): number {
  if (!(after < before)) {
    return 0;
  }
  return after > 0 ? Math.min(MOST_TOLD, Math.log(before / after)) : MOST_TOLD;
}
