/** What the fast mode does or leaves; an ablation (docs/results/time-to-latency.md) says what each is worth. */
export interface FastFlags {
  /** Siblings' best schedules, tile sizes fitted, are candidates and join the evolution. */
  readonly shareSchedules?: boolean;
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
  /** Of a task that little of the objective is expected to be about, fewer programs are looked at first. */
  readonly sizedLooks?: boolean;
  /** A task that is nearly as fast as the machine can be is searched no further. */
  readonly roofline?: boolean;
}

/** Descent took its programs from better ones in each of four runs. */
export const DEFAULT_FAST_FLAGS: Required<FastFlags> = {
  shareSchedules: true,
  descent: false,
  draft: true,
  foreseeByGain: true,
  gainPerSecond: true,
  adaptivePopulation: true,
  sizedLooks: true,
  roofline: true,
};

/** @deprecated What {@link FastFlags} were called. */
export type Means = Required<FastFlags>;

/** @deprecated What {@link DEFAULT_FAST_FLAGS} were called. */
export const DEFAULT_MEANS: Means = DEFAULT_FAST_FLAGS;
