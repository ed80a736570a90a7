/** How fast the machine lets each task be, as long as no program proves a bound wrong. */
export class Roof {
  #holds = true;

  /** A bound on each task's cost from below, in seconds, where one is known. */
  constructor(private readonly leastCosts: readonly (number | null)[]) {}

  /** Seconds; 0 where nothing is known. */
  least(task: number): number {
    return this.#holds ? (this.leastCosts[task] ?? 0) : 0;
  }

  /**
   * A task's best cost in seconds.
   *
   * @returns whether it proves the bounds wrong, all of them: something else had the machine when it was measured.
   */
  isBrokenBy(task: number, best: number): boolean {
    if (best >= this.least(task)) {
      return false;
    }
    this.#holds = false;
    return true;
  }

  /** The share of its cost that a task can gain at most. */
  left(task: number, best: number): number {
    return Math.max(0, 1 - this.least(task) / best);
  }
}
