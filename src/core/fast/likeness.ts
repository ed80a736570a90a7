import type { Task } from "../task.js";

/** Which tasks of a family are most like each other: those of the same structure, and of those the nearest by FLOPs. */
export class Likeness {
  readonly #order: readonly number[];
  readonly #places: ReadonlyMap<number, number>;

  constructor(
    members: readonly number[],
    private readonly tasks: readonly Task[],
  ) {
    this.#order = [...members].sort(
      (a, b) => compare(this.#structure(a), this.#structure(b)) || this.#flops(a) - this.#flops(b),
    );
    this.#places = new Map(this.#order.map((id, place) => [id, place]));
  }

  /** How many tasks the family has. */
  get size(): number {
    return this.#order.length;
  }

  /** The other tasks of the family, the most alike first. */
  *near(task: number): Generator<number> {
    const place = this.#places.get(task) ?? 0;
    let [below, above] = [place - 1, place + 1];
    for (;;) {
      const [a, b] = [this.#order[below], this.#order[above]];
      if (a === undefined && b === undefined) {
        return;
      }
      if (b === undefined || (a !== undefined && this.#distance(task, a) <= this.#distance(task, b))) {
        yield a as number;
        below -= 1;
      } else {
        yield b;
        above += 1;
      }
    }
  }

  #distance(task: number, other: number): number {
    const far = this.#structure(task) === this.#structure(other) ? 0 : Number.MAX_VALUE;
    return Math.max(far, Math.abs(this.#flops(task) - this.#flops(other)));
  }

  #structure(task: number): string {
    return this.tasks[task]?.structure ?? "";
  }

  /** On a logarithmic scale; 0 where TVM could not count them. */
  #flops(task: number): number {
    return Math.log(Math.max(1, this.tasks[task]?.flops ?? 1));
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
