import type { TunerName } from "../../tuner-name.js";

/** Programs of a generation, and generations. */
export interface Evolution {
  readonly population: number;
  readonly generations: number;
}

/** Evolutions by the share of pairs that a family's model lately ordered rightly, the largest first; the last from 0 on. */
export type Evolutions = readonly (Evolution & { readonly accuracy: number })[];

/**
 * Where a model is judged by earlier programs, over many rounds. A program costs MetaSchedule some 6.5 ms to make and look at,
 * Ansor 0.5: its evolutions are so much smaller.
 */
export const EVOLUTIONS = {
  ansor: [
    { accuracy: 0.66, population: 256, generations: 3 },
    { accuracy: 0.58, population: 128, generations: 2 },
    { accuracy: 0, population: 64, generations: 2 },
  ],
  metaschedule: [
    { accuracy: 0.61, population: 128, generations: 2 },
    { accuracy: 0.56, population: 64, generations: 2 },
    { accuracy: 0, population: 64, generations: 1 },
  ],
} as const satisfies Record<TunerName, Evolutions>;

/** Where a model is judged by the last rounds' programs alone. */
export const EVOLUTIONS_BY_ROUND = {
  ansor: [
    { accuracy: 0.85, population: 512, generations: 3 },
    { accuracy: 0.75, population: 256, generations: 3 },
    { accuracy: 0.65, population: 128, generations: 2 },
    { accuracy: 0, population: 64, generations: 2 },
  ],
  metaschedule: [
    { accuracy: 0.85, population: 128, generations: 2 },
    { accuracy: 0.75, population: 96, generations: 2 },
    { accuracy: 0.65, population: 64, generations: 2 },
    { accuracy: 0, population: 64, generations: 1 },
  ],
} as const satisfies Record<TunerName, Evolutions>;

/** How large an evolution a model is worth that has such a share of pairs in order. */
export function evolutionFor(evolutions: Evolutions, accuracy: number): Evolution {
  const found = evolutions.find((each) => accuracy >= each.accuracy) ?? evolutions.at(-1);
  if (!found) {
    throw new Error("There are no evolutions to choose from.");
  }
  const { population, generations } = found;
  return { population, generations };
}
