/** What the fast mode does or leaves; an ablation (docs/results/time-to-latency.md) says what each is worth. */
export interface FastFlags {
  /** Siblings' best schedules, tile sizes fitted, are candidates and join the evolution. */
  readonly shareSchedules?: boolean;
  /** Siblings of other compute DAGs give their schedules, too; null: in the order of before this was a flag. */
  readonly shareAcross?: boolean | null;
  /** Moves of single tile sizes from a task's best program are candidates. */
  readonly descent?: boolean;
  /** Before the model has learnt anything, an analytic estimate drops the hopeless of the random programs. */
  readonly draft?: boolean;
  /** A foresee round goes where the family's model expects the most of it, if that is more than elsewhere. */
  readonly foreseeByGain?: boolean;
  /** Rounds are given by gain per second, not per program. */
  readonly gainPerSecond?: boolean;
  /** The evolution's population follows how well the model ordered the last programs. */
  readonly adaptivePopulation?: boolean;
  /**
   * A model is judged by the pairs of a round's programs with earlier ones of the task. The programs of a round alone are all
   * ones that the model put on top: of their pairs even a good one has few more than half in order.
   */
  readonly judgeByEarlier?: boolean;
  /** Of a task that little of the objective is expected to be about, fewer programs are looked at first. */
  readonly sizedLooks?: boolean;
  /** What the machine can do at most bounds what a task may gain, and a task that is there is searched no further. */
  readonly roofline?: boolean;
  /** A task is there within this share of its cost. */
  readonly roofMargin?: number;
  /** All rounds of a task say what the next may gain, not the last few alone. */
  readonly longOutlook?: boolean;
  /** Moves from a task's best programs are candidates where its search has stalled. */
  readonly stalledDescent?: boolean;
  /** Stop the job where as many programs again are expected to gain less than this share of the objective; null: never. */
  readonly leastGain?: number | null;
}

/** Descent took its programs from better ones in each of four runs. */
export const DEFAULT_FAST_FLAGS: Required<FastFlags> = {
  shareSchedules: true,
  shareAcross: true,
  descent: false,
  draft: true,
  foreseeByGain: true,
  gainPerSecond: true,
  adaptivePopulation: true,
  judgeByEarlier: true,
  sizedLooks: true,
  roofline: true,
  roofMargin: 0.01,
  longOutlook: true,
  stalledDescent: true,
  leastGain: 0.001,
};

/** @deprecated What {@link FastFlags} were called. */
export type Means = Required<FastFlags>;

/** @deprecated What {@link DEFAULT_FAST_FLAGS} were called. */
export const DEFAULT_MEANS: Means = DEFAULT_FAST_FLAGS;
