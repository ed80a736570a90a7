import type { SearchAction, SearchTarget } from "../decider.js";
import type { Draw } from "../random.js";
import type { DeadTasks } from "./dead-tasks.js";
import type { Steepest, SteepestTask } from "./steepest.js";
import type { TaskOrder } from "./task-order.js";

/** The sibling to foresee after a main round (FamilySeer, section 4.2). */
interface Sibling extends Steepest {
  readonly family: string;
  readonly among: number;
}

/** Foresee rounds: after a round on a task, one of fewer programs on the steepest of its siblings. */
export class Foresee {
  #sibling: Sibling | null = null;

  /** `programs` of each round; 0: there are none. */
  constructor(
    private readonly programs: number,
    private readonly draw: Draw,
    private readonly order: TaskOrder,
    private readonly dead: DeadTasks,
    private readonly steepest: SteepestTask,
  ) {}

  /** Chooses the sibling to foresee after a round on a task, by the gradients before that round. */
  async choose(after: number): Promise<void> {
    const family = this.programs > 0 ? this.order.family(after) : null;
    const among = family === null ? 0 : this.dead.siblingsAlive(after);
    const steepest = among > 0 ? await this.steepest.among(this.order.siblings(after), among) : null;
    this.#sibling = family !== null && steepest ? { ...steepest, family, among } : null;
  }

  /** Whether a sibling is chosen. */
  get isDue(): boolean {
    return this.#sibling !== null;
  }

  /** The round on the sibling that was chosen; drawn where all were equally steep. Null if there is none. */
  async round(after: number): Promise<SearchAction | null> {
    if (this.#sibling === null) {
      return null;
    }
    const { family, task: first, gradient, among, tied } = this.#sibling;
    const drawn = tied !== null;
    const task = drawn ? (tied[await this.draw(tied.length)] ?? first) : first;
    const reason = { type: "foresee", family, after, among, drawn, gradient } as const;
    return { type: "search", task, programs: this.programs, reason };
  }

  /** The round as far as it can be said before anything is drawn. */
  get likely(): SearchTarget | null {
    const sibling = this.#sibling;
    return sibling === null || (sibling.tied && sibling.among > 1)
      ? null
      : { task: sibling.task, programs: this.programs };
  }
}
