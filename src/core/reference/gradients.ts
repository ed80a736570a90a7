import { type ScoreAll, scoresOf } from "../objective.js";
import { gradientOf, STEP, steppedCosts } from "./gradient.js";
import { OrderedSum } from "./ordered-sum.js";
import { RangeMinimum } from "./range-minimum.js";
import type { Range, TaskOrder } from "./task-order.js";

/** A task and its gradient, exactly as the references compute it. */
export interface Candidate {
  readonly task: number;
  readonly gradient: number;
}

/** A slope that a task does not have, but may come to have. */
export interface Supposed {
  readonly task: number;
  readonly slope: number | null;
}

/** Score and gradients of the tasks, kept as their costs and slopes change. Which task is searched is decided elsewhere. */
export interface Gradients {
  /** The task's best cost in seconds. */
  setCost(task: number, cost: number): void;
  /** The task's slope ({@link slopeOf}); null for a dead one, which is no candidate. Every task is dead at first. */
  setSlope(task: number, slope: number | null): void;
  /** The objective of the costs, which gradients are taken against from now on. */
  rescore(): number | Promise<number>;
  /**
   * The tasks in some ranges of the order whose gradient may be the least there, in order: all others alive there
   * have a greater one. None only if all are dead.
   *
   * @throws InvalidObjectiveError if the objective rises when a task gets faster.
   */
  candidates(ranges: readonly Range[], supposed?: Supposed): readonly Candidate[] | Promise<readonly Candidate[]>;
}

/**
 * For any objective: it is code that can only be asked, so each decision asks for the score of every task's stepped
 * costs, and every task alive is a candidate.
 */
export class ObjectiveGradients implements Gradients {
  readonly #scoreAll: ScoreAll;
  readonly #order: TaskOrder;
  readonly #costs: number[];
  readonly #slopes: (number | null)[];
  #score = Number.NaN;
  /** By task; null where something changed since. */
  #gradients: Promise<ReadonlyMap<number, number>> | null = null;

  constructor(scoreAll: ScoreAll, costs: readonly number[], order: TaskOrder) {
    this.#scoreAll = scoreAll;
    this.#order = order;
    this.#costs = [...costs];
    this.#slopes = costs.map(() => null);
  }

  setCost(task: number, cost: number): void {
    this.#costs[task] = cost;
    this.#gradients = null;
  }

  setSlope(task: number, slope: number | null): void {
    this.#slopes[task] = slope;
    this.#gradients = null;
  }

  async rescore(): Promise<number> {
    const [score] = await scoresOf(this.#scoreAll, [this.#costs]);
    this.#score = score ?? Number.NaN;
    this.#gradients = null;
    return this.#score;
  }

  async candidates(ranges: readonly Range[], supposed?: Supposed): Promise<Candidate[]> {
    const gradients = supposed
      ? await this.#all(this.#slopes.with(supposed.task, supposed.slope))
      : await (this.#gradients ??= this.#all(this.#slopes));
    return ranges
      .flatMap(({ from, to }) => this.#order.tasks.slice(from, to))
      .flatMap((task) => {
        const gradient = gradients.get(task);
        return gradient === undefined ? [] : [{ task, gradient }];
      });
  }

  async #all(slopes: readonly (number | null)[]): Promise<ReadonlyMap<number, number>> {
    const score = this.#score;
    const alive = [...slopes.entries()].flatMap(([task, slope]) => (slope === null ? [] : [{ task, slope }]));
    const vectors = alive.map(({ task }) => steppedCosts(this.#costs, task));
    const steppedScores = await scoresOf(this.#scoreAll, vectors);
    return new Map(
      alive.map(({ task, slope }, index) => [task, gradientOf(task, slope, score, steppedScores[index] ?? Number.NaN)]),
    );
  }
}

/**
 * For the weighted sum of the costs. But for rounding a task's gradient is its weight times its slope, which changes
 * with the task alone; only those that are the least of these, or so close to it that rounding may have decided, are
 * candidates, and only their gradients are computed the references' way.
 */
export class WeightedSumGradients implements Gradients {
  readonly #weights: readonly number[];
  readonly #order: TaskOrder;
  readonly #costs: number[];
  readonly #slopes: (number | null)[];
  readonly #sum: OrderedSum;
  /** Weight times slope, by place; infinity for dead tasks. */
  readonly #products: RangeMinimum;
  readonly #leastWeight: number;
  readonly #mostWeight: number;
  #score = Number.NaN;

  /** No weight is negative or infinite. */
  constructor(weights: readonly number[], costs: readonly number[], order: TaskOrder) {
    this.#weights = weights;
    this.#order = order;
    this.#costs = [...costs];
    this.#slopes = costs.map(() => null);
    this.#sum = new OrderedSum(costs.map((cost, task) => cost * this.#weight(task)));
    this.#products = new RangeMinimum(order.tasks.length);
    this.#leastWeight = weights.reduce((least, weight) => (weight > 0 && weight < least ? weight : least), Infinity);
    this.#mostWeight = weights.reduce((most, weight) => Math.max(most, weight), 0);
  }

  setCost(task: number, cost: number): void {
    this.#costs[task] = cost;
    this.#sum.set(task, cost * this.#weight(task));
  }

  setSlope(task: number, slope: number | null): void {
    this.#slopes[task] = slope;
    const product = slope === null ? Number.POSITIVE_INFINITY : this.#weight(task) * slope;
    // What no gradient can come from is a candidate whatever else there is, and refused as one.
    const isGradient = slope === null || product <= 0;
    this.#products.set(this.#order.place(task), isGradient ? product : Number.NEGATIVE_INFINITY);
  }

  rescore(): number {
    this.#score = this.#sum.total();
    return this.#score;
  }

  candidates(ranges: readonly Range[], supposed?: Supposed): Candidate[] {
    if (supposed) {
      const slope = this.#slopes[supposed.task] ?? null;
      this.setSlope(supposed.task, supposed.slope);
      try {
        return this.candidates(ranges);
      } finally {
        this.setSlope(supposed.task, slope);
      }
    }
    const least = Math.min(...ranges.map(({ from, to }) => this.#products.least(from, to)));
    const [first] = least < Number.POSITIVE_INFINITY ? this.#upTo(least, ranges) : [];
    if (first === undefined) {
      return [];
    }
    const likely = this.#candidate(first);
    // No gradient can be less than its product times (1 + the doubt); twice, for the rounding of these two lines.
    const bound = likely.gradient / (1 + 2 * this.#doubt());
    return this.#upTo(bound, ranges).map((place) => (place === first ? likely : this.#candidate(place)));
  }

  /**
   * The most by which rounding can make a gradient differ from weight times slope, relative to it. Each of the n
   * additions of either sum is wrong by at most half a unit in the last place of the greatest partial sum, which, as no
   * term but the stepped one is negative, is the whole sum or the step; 16 more stand for all other operations. It is
   * large, and with it the number of candidates, where a task that was never measured is in the sum with 1e10 s.
   */
  #doubt(): number {
    const greatest = Math.max(this.#score, STEP * this.#mostWeight);
    return ((this.#weights.length + 16) * Number.EPSILON * greatest) / (STEP * this.#leastWeight);
  }

  #upTo(bound: number, ranges: readonly Range[]): number[] {
    return ranges.flatMap(({ from, to }) => this.#products.upTo(bound, from, to));
  }

  #candidate(place: number): Candidate {
    const task = this.#order.tasks[place] ?? Number.NaN;
    const stepped = ((this.#costs[task] ?? Number.NaN) - STEP) * this.#weight(task);
    const slope = this.#slopes[task] ?? Number.NaN;
    return { task, gradient: gradientOf(task, slope, this.#score, this.#sum.totalWith(task, stepped)) };
  }

  #weight(task: number): number {
    return this.#weights[task] ?? 0;
  }
}
