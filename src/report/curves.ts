import type { Point } from "./page-data.js";

/** Of one curve: more cannot be told apart on a screen. */
export const MOST_POINTS = 1000;

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
  const sum = new TreeSum(parts.length);
  const seen = new Set<number>();
  const points: Point[] = [];
  for (const { seconds, trials, cost, part } of steps) {
    sum.set(part, cost);
    seen.add(part);
    if (seen.size === parts.length) {
      points.push([seconds, trials, sum.total]);
    }
  }
  return points;
}

/** A sum of terms that change: added up anew along a binary tree, as adding differences would lose what is small beside earlier terms. */
class TreeSum {
  readonly #leaves: number;
  /** By node: 1 the root, 2i and 2i + 1 the children of i. */
  readonly #sums: Float64Array;

  constructor(terms: number) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(terms, 1)));
    this.#sums = new Float64Array(2 * this.#leaves);
  }

  get total(): number {
    return this.#sums[1] ?? 0;
  }

  set(index: number, term: number): void {
    let node = this.#leaves + index;
    this.#sums[node] = term;
    while (node > 1) {
      node >>= 1;
      this.#sums[node] = (this.#sums[2 * node] ?? 0) + (this.#sums[2 * node + 1] ?? 0);
    }
  }
}

/** The first point at or below a latency; null if there is none. */
export function firstAtOrBelow(curve: readonly Point[], latency: number): Point | null {
  return curve.find(([, , reached]) => reached <= latency) ?? null;
}

/**
 * A long falling curve by some `most` of its own points: those where the latency has fallen by a certain factor since
 * the last one kept, and the end. So the thinned curve is nowhere above the other by more than that factor.
 */
export function thinned(curve: readonly Point[], most: number): Point[] {
  const [first, last] = [curve[0], curve.at(-1)];
  if (curve.length <= most || !first || !last) {
    return [...curve];
  }
  const factor = (last[2] / first[2]) ** (1 / most);
  let kept = Number.POSITIVE_INFINITY;
  return curve.filter((point) => {
    const keep = point[2] <= kept * factor || point === last;
    kept = keep ? point[2] : kept;
    return keep;
  });
}
