import type { DeathReason } from "../decider.js";
import type { Families } from "../families.js";
import { UNMEASURED_COST } from "../task.js";
import type { CompleteOptions } from "./options.js";

type Rules = Pick<CompleteOptions, "taskEarlyStopping" | "giveUpUnmeasured">;

/** The tasks that are searched no further, and when a task becomes one of them. */
export class DeadTasks {
  readonly #count: number;
  readonly #rules: Rules;
  readonly #dead = new Set<number>();
  readonly #familyOf = new Map<number, string>();
  /** How many of each family's tasks are not dead. */
  readonly #alive = new Map<string, number>();
  /** Where to look for the next task alive after each. */
  readonly #following: number[];

  constructor(count: number, families: Families | null, rules: Rules) {
    this.#count = count;
    this.#rules = rules;
    for (const [family, members] of families ?? []) {
      this.#alive.set(family, members.length);
      for (const id of members) {
        this.#familyOf.set(id, family);
      }
    }
    this.#following = Array.from({ length: count }, (_, id) => (id + 1) % count);
  }

  /** A round that measured nothing exhausted the task; else it may have `unimproved` programs since its best, too many. */
  afterRound(task: number, measured: number, unimproved: number): DeathReason | null {
    const died = measured === 0 ? "exhausted" : this.#isTooMany(unimproved) ? "unimproved" : null;
    if (died !== null) {
      this.add(task);
    }
    return died;
  }

  /** By an earlier run's records: so many programs of a task since its best. */
  afterRestoring(task: number, unimproved: number): void {
    if (this.#isTooMany(unimproved)) {
      this.add(task);
    }
  }

  /** Tasks of which no program ran are given up, if the options say so. Gives those. */
  afterWarmUp(bestCosts: readonly number[]): number[] {
    const never = this.#rules.giveUpUnmeasured
      ? [...bestCosts.keys()].filter((task) => bestCosts[task] === UNMEASURED_COST)
      : [];
    for (const task of never) {
      this.add(task);
    }
    return never;
  }

  add(task: number): void {
    const family = this.#familyOf.get(task);
    if (family !== undefined && !this.#dead.has(task)) {
      this.#alive.set(family, (this.#alive.get(family) ?? 0) - 1);
    }
    this.#dead.add(task);
  }

  has(task: number): boolean {
    return this.#dead.has(task);
  }

  /** How many are not dead. */
  get alive(): number {
    return this.#count - this.#dead.size;
  }

  /** How many of a task's siblings in its family are not dead. */
  siblingsAlive(task: number): number {
    const family = this.#familyOf.get(task);
    return family === undefined ? 0 : (this.#alive.get(family) ?? 0) - (this.#dead.has(task) ? 0 : 1);
  }

  /** The next in turn that is not dead; there must be one. */
  nextAlive(from: number): number {
    let task = this.#following[from] ?? 0;
    while (this.#dead.has(task)) {
      task = this.#following[task] ?? 0;
    }
    this.#following[from] = task;
    return task;
  }

  /** In ascending order. */
  get all(): readonly number[] {
    return [...this.#dead].sort((a, b) => a - b);
  }

  #isTooMany(unimproved: number): boolean {
    return unimproved > (this.#rules.taskEarlyStopping ?? Number.POSITIVE_INFINITY);
  }
}
