import type { Point } from "./page-data.js";

/** Where a task's best cost fell, and how often the network runs the task. */
export interface Part {
  readonly improvements: readonly Point[];
  readonly weight: number;
}

/** Where the sum of several tasks' costs times their weights fell: from when each of them has one. */
export function sumOfCosts(parts: readonly Part[]): Point[] {
  const steps = parts
    .flatMap(({ improvements, weight }, part) =>
      improvements.map(([seconds, trials, cost]) => ({ seconds, trials, cost: cost * weight, part })),
    )
    .sort((a, b) => a.trials - b.trials);
  const costs = new Map<number, number>();
  const points: Point[] = [];
  for (const { seconds, trials, cost, part } of steps) {
    costs.set(part, cost);
    if (costs.size === parts.length) {
      // Summed anew, as adding differences up would lose what is small beside the first costs.
      points.push([seconds, trials, [...costs.values()].reduce((sum, each) => sum + each, 0)]);
    }
  }
  return points;
}

/** The first point at or below a latency; null if there is none. */
export function firstAtOrBelow(curve: readonly Point[], latency: number): Point | null {
  return curve.find(([, , reached]) => reached <= latency) ?? null;
}
