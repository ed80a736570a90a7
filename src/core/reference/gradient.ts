import { InvalidObjectiveError } from "../../errors.js";

/** Step (seconds) by which the objective is differentiated, TVM's. */
export const STEP = 1e-4;

/** The cost vector whose score against that of `bestCosts` says how the objective moves with task `id`'s cost. */
export function steppedCosts(bestCosts: readonly number[], id: number): number[] {
  return bestCosts.with(id, (bestCosts[id] ?? Number.NaN) - STEP);
}

/** What of a task's past its slope is computed from. */
export interface TaskProgress {
  /** Best cost so far in seconds. */
  readonly best: number;
  /** Rounds it was given, foresee rounds not counted; at least 1. */
  readonly rounds: number;
  /** Best cost (seconds) after each round, foresee rounds included. */
  readonly history: readonly number[];
  readonly flops: number;
  /** Best throughput (FLOP/s) in its similarity group; null for a task that is like no other. */
  readonly groupThroughput: number | null;
}

export interface GradientParameters {
  /** Weight of the backward difference against the forward estimate, 0 to 1. */
  readonly alpha: number;
  /** How many times slower than the best of its similarity group a task is expected to become at worst. */
  readonly beta: number;
  /** Rounds the backward difference spans. */
  readonly backwardWindow: number;
}

/**
 * Seconds by which a task's cost is expected to change per further round on it (negative: it falls): Ansor, section 6.2
 * and appendix A; TVM's auto_scheduler/task_scheduler.py.
 */
export function slopeOf(progress: TaskProgress, { alpha, beta, backwardWindow }: GradientParameters): number {
  const { best } = progress;
  const newest = progress.rounds - 1;
  const now = progress.history[newest];
  const before = progress.history[newest - backwardWindow];
  const backward = now !== undefined && before !== undefined ? (now - before) / backwardWindow : 0;

  const atSamePace = best - best / progress.rounds;
  const atGroupPace =
    progress.groupThroughput === null ? beta * 1e30 : (beta * progress.flops) / progress.groupThroughput;
  // Not Math.min: where the group's pace is not a number (no FLOP was counted), the task's own counts.
  const forward = (atGroupPace < atSamePace ? atGroupPace : atSamePace) - best;
  return alpha * backward + (1 - alpha) * forward;
}

/**
 * How much the objective is expected to fall per further round on task `id` (never positive; the most negative is
 * worth most). `score` and `steppedScore` are the objective of the best costs and of {@link steppedCosts}.
 *
 * @throws InvalidObjectiveError if the objective rises when the task gets faster.
 */
export function gradientOf(id: number, slope: number, score: number, steppedScore: number): number {
  const gradient = ((score - steppedScore) / STEP) * slope;
  if (!(gradient <= 0)) {
    throw new InvalidObjectiveError(
      `The objective function does not fall when task ${id} gets faster (gradient ${gradient}). ` +
        "Expected an objective that never rises when a cost falls.",
    );
  }
  return gradient;
}
