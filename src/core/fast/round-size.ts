/** How many programs are built at once, and how many are timed at once. */
export interface Capacity {
  readonly builders: number;
  readonly devices: number;
}

/** Programs of a job's rounds, at most. */
export interface RoundSizes {
  readonly trialsPerRound: number;
  readonly foreseeTrials: number;
  /** Of the first look at a family's first task. */
  readonly firstLook: number;
}

/** A search learns once a round. So few programs are enough for that; with more it learns too seldom. */
export const LEAST_ROUND = 8;
export const MOST_OF_ROUND = 32;
/** So many rounds a task are paid for, if they have more than the least programs. */
const ROUNDS_OF_TASK = 2;
/** Programs at random of a family's first task: enough for a model to be better than none. */
const FIRST_LOOK = 16;

/**
 * How large rounds are that keep a machine busy: as many programs as are built at once, or the least multiple of that with
 * {@link LEAST_ROUND}, up to {@link MOST_OF_ROUND}. Half as many are enough where schedules are only fitted.
 *
 * @param programsOfTask that the job measures of a task on average.
 */
export function roundSizes({ builders, devices }: Capacity, programsOfTask = Number.POSITIVE_INFINITY): RoundSizes {
  const atOnce = Math.max(1, builders, devices);
  const most = Math.max(LEAST_ROUND, Math.min(MOST_OF_ROUND, Math.floor(programsOfTask / ROUNDS_OF_TASK)));
  const trialsPerRound = Math.min(most, atOnce * Math.ceil(LEAST_ROUND / atOnce));
  return {
    trialsPerRound,
    foreseeTrials: Math.floor(trialsPerRound / 2),
    firstLook: Math.max(FIRST_LOOK, trialsPerRound),
  };
}
