import type { CompleteFastOptions } from "./options.js";
import { LongOutlook, type Outlook, ShortOutlook } from "./outlook.js";
import type { Roof } from "./roof.js";
import type { TaskStates } from "./task-states.js";

/** What rounds on the tasks are expected to gain. */
export class Outlooks {
  /** Of the tasks that were judged. */
  readonly #outlooks = new Map<number, Outlook>();

  constructor(
    private readonly options: Pick<CompleteFastOptions, "longOutlook">,
    private readonly trialsPerRound: number,
    private readonly states: TaskStates,
    private readonly roof: Roof,
  ) {}

  /** A task has had its first look, and its siblings theirs. */
  judge(task: number): void {
    const { family, programs } = this.states.of(task);
    const share = family.prior(this.states.throughput(task));
    const outlook = this.options.longOutlook
      ? new LongOutlook(programs, { more: this.trialsPerRound, share })
      : new ShortOutlook(share);
    this.#outlooks.set(task, outlook);
  }

  /** So many programs brought a task from one cost to another, in seconds. */
  observe(task: number, programs: number, before: number, after: number): void {
    this.#outlooks.get(task)?.observe(programs, before, after);
  }

  /** The share of its cost that the next round is expected to take off. */
  expected(task: number): number {
    return this.bounded(task, this.#outlooks.get(task)?.expected(this.trialsPerRound) ?? 0);
  }

  /** What is expected of a task, as far as the machine lets it. */
  bounded(task: number, share: number): number {
    return this.options.longOutlook ? Math.min(share, this.roof.left(task, this.states.of(task).best)) : share;
  }
}
