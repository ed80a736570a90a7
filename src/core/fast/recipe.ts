/** Where a candidate of a round can come from. */
export const ORIGINS = ["earlier", "sibling", "descent", "evolution", "random"] as const;
export type Origin = (typeof ORIGINS)[number];

/** What a round's candidates are to be made of: programs of each origin, whose schedules to fit, how hard to evolve. */
export interface Recipe {
  readonly programs: Readonly<Record<Origin, number>>;
  /** Siblings whose best schedules are fitted to the task's shapes, the most alike first. */
  readonly donors: readonly number[];
  readonly population: number;
  readonly generations: number;
  /** Random programs that an analytic estimate finds slow are left out. */
  readonly draft: boolean;
}

/** Of each origin none. */
export function noPrograms(): Record<Origin, number> {
  return { earlier: 0, sibling: 0, descent: 0, evolution: 0, random: 0 };
}
