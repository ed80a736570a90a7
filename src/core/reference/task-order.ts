import type { Families } from "../families.js";

/** The places `from` to `to - 1` of an order of the tasks. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** The tasks with the members of each family side by side, so that a family is a range. */
export class TaskOrder {
  /** Task by place. */
  readonly tasks: readonly number[];
  readonly #places: readonly number[];
  readonly #familyOf = new Map<number, { readonly name: string; readonly range: Range }>();

  /** A task of no family has no siblings. */
  constructor(taskCount: number, families: Families | null) {
    const everyTask = Array.from({ length: taskCount }, (_, id) => id);
    this.tasks = [...new Set([...[...(families?.values() ?? [])].flat(), ...everyTask])];
    const places = everyTask.map(() => 0);
    for (const [place, task] of this.tasks.entries()) {
      places[task] = place;
    }
    this.#places = places;
    let from = 0;
    for (const [name, members] of families ?? []) {
      const range = { from, to: from + members.length };
      for (const task of members) {
        this.#familyOf.set(task, { name, range });
      }
      from = range.to;
    }
  }

  place(task: number): number {
    const place = this.#places[task];
    if (place === undefined) {
      throw new Error(`There is no task ${task}.`);
    }
    return place;
  }

  get all(): Range {
    return { from: 0, to: this.tasks.length };
  }

  family(task: number): string | null {
    return this.#familyOf.get(task)?.name ?? null;
  }

  /** The other members of a task's family. */
  siblings(task: number): readonly Range[] {
    const range = this.#familyOf.get(task)?.range;
    const place = this.place(task);
    return range
      ? [
          { from: range.from, to: place },
          { from: place + 1, to: range.to },
        ]
      : [];
  }
}
