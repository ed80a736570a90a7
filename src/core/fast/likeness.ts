import type { Task } from "../task.js";

/**
 * Which tasks of a family are most like each other: those of one compute DAG, then those of other DAGs whose tiled stage is
 * the same, then the rest; of each the nearest by FLOPs.
 */
export class Likeness {
  /** How many tasks the family has. */
  readonly size: number;
  /** The family in groups of tasks that are alike, the most alike first; each group by FLOPs. */
  readonly #groupings: readonly Grouping[];

  /**
   * @param across whether tasks of other DAGs are near at all; null: they are, in the order of their hashes, as they were to
   * jobs of before this was an option.
   */
  constructor(
    members: readonly number[],
    private readonly tasks: readonly Task[],
    private readonly across: boolean | null = true,
  ) {
    this.size = members.length;
    const structure = (id: number) => tasks[id]?.structure ?? "";
    const tiledStage = (id: number) => tasks[id]?.tiledStage ?? "";
    const both = (id: number) => JSON.stringify([structure(id), tiledStage(id)]);
    const keys = across ? [both, tiledStage, structure, any] : across === null ? [structure, any] : [both, structure];
    const sorted = [...members].sort(
      (a, b) => (across === null ? compare(structure(a), structure(b)) : 0) || this.#flops(a) - this.#flops(b),
    );
    this.#groupings = keys.map((key) => grouped(sorted, key));
  }

  /** The other tasks of the family, the most alike first. */
  *near(task: number): Generator<number> {
    const given = new Set([task]);
    for (const grouping of this.#groupings) {
      for (const other of this.#outwards(task, grouping)) {
        // Of a wider group the inner ones were given before, so that no more are passed over than were given.
        if (!given.has(other)) {
          given.add(other);
          yield other;
        }
      }
    }
  }

  /** The others of a task's group, the nearest by FLOPs first. */
  *#outwards(task: number, grouping: Grouping): Generator<number> {
    const { group, place } = grouping.get(task) ?? { group: [], place: 0 };
    let [below, above] = [place - 1, place + 1];
    for (;;) {
      const [a, b] = [group[below], group[above]];
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
    if (this.across === null && this.tasks[task]?.structure !== this.tasks[other]?.structure) {
      return Number.MAX_VALUE;
    }
    return Math.abs(this.#flops(task) - this.#flops(other));
  }

  /** On a logarithmic scale; 0 where TVM could not count them. */
  #flops(task: number): number {
    return Math.log(Math.max(1, this.tasks[task]?.flops ?? 1));
  }
}

/** Of each task its group and its place there. */
type Grouping = ReadonlyMap<number, { readonly group: readonly number[]; readonly place: number }>;

function grouped(members: readonly number[], key: (task: number) => string): Grouping {
  const groups = new Map<string, number[]>();
  return new Map(
    members.map((task) => {
      const name = key(task);
      const group = groups.get(name) ?? [];
      groups.set(name, group);
      return [task, { group, place: group.push(task) - 1 }];
    }),
  );
}

/** One group of all. */
function any(): string {
  return "";
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
