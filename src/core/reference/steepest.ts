import type { SearchAction } from "../decider.js";
import { scoreAllBy, weightedSum } from "../objective.js";
import type { DeadTasks } from "./dead-tasks.js";
import { slopeOf } from "./gradient.js";
import { type Candidate, type Gradients, ObjectiveGradients, WeightedSumGradients } from "./gradients.js";
import type { CompleteOptions } from "./options.js";
import type { Progress } from "./progress.js";
import { SimilarityGroups } from "./similarity.js";
import type { Range, TaskOrder } from "./task-order.js";

/** The task with the most negative gradient; `tied` has all that were compared if their gradients are all equal. */
export interface Steepest extends Candidate {
  readonly tied: readonly number[] | null;
}

/** Finds the task whose gradient is the steepest, as costs fall and tasks have rounds. */
export class SteepestTask {
  readonly #options: CompleteOptions;
  readonly #order: TaskOrder;
  readonly #progress: Progress;
  readonly #dead: DeadTasks;
  readonly #similarity: SimilarityGroups;
  readonly #gradients: Gradients;
  /** Tasks whose slope may have changed since `#gradients` got it. */
  readonly #changed: Set<number>;

  constructor(options: CompleteOptions, order: TaskOrder, progress: Progress, dead: DeadTasks) {
    this.#options = options;
    this.#order = order;
    this.#progress = progress;
    this.#dead = dead;
    this.#similarity = new SimilarityGroups(options.tasks, progress.bestCosts, progress.rounds);
    this.#gradients = gradientsOf(options, progress, order);
    this.#changed = new Set(options.tasks.keys());
  }

  /** A task had a round, which counts or does not, and its best cost was `before` seconds. */
  observe(task: number, before: number, counts: boolean): void {
    if (counts) {
      this.#similarity.countRound(task);
    }
    const cost = this.#progress.bestCost(task);
    if (cost < before) {
      this.#gradients.setCost(task, cost);
      this.changed(this.#similarity.setCost(task, cost));
    }
    this.#changed.add(task);
  }

  /** Tasks whose slope may have changed: one that died, too. */
  changed(tasks: Iterable<number>): void {
    for (const task of tasks) {
      this.#changed.add(task);
    }
  }

  /** Takes a task out of its similarity group if it is found not to be like the others. */
  removeIfUnlike(task: number): void {
    this.changed(this.#similarity.removeIfUnlike(task, this.#options.beta));
  }

  /** Tasks whose similarity group was found not to be like them, in ascending order. */
  get unlike(): readonly number[] {
    return this.#similarity.removed;
  }

  /** The objective of the best costs, which gradients are taken against from now on. */
  async rescore(): Promise<number> {
    return await this.#gradients.rescore();
  }

  /**
   * Of all tasks; as if `unimproved`, a search still going on, were done and had improved nothing. Null if all are dead.
   *
   * @throws InvalidObjectiveError if the objective rises when a task gets faster.
   */
  async ofAll(unimproved: SearchAction | null = null): Promise<Steepest | null> {
    this.#tellSlopes();
    const supposed = unimproved
      ? { task: unimproved.task, slope: this.#slope(unimproved.task, unimproved) }
      : undefined;
    const candidates = await this.#gradients.candidates([this.#order.all], supposed);
    const steepest = steepestOf(candidates, this.#dead.alive);
    const someDead = this.#dead.alive < this.#options.tasks.length;
    // To the references a dead task's gradient is 0.
    return steepest && someDead && steepest.gradient < 0 ? { ...steepest, tied: null } : steepest;
  }

  /** Of the tasks alive in some ranges of the order, of whom there are `count`. */
  async among(ranges: readonly Range[], count: number): Promise<Steepest | null> {
    this.#tellSlopes();
    return steepestOf(await this.#gradients.candidates(ranges), count);
  }

  #tellSlopes(): void {
    for (const task of this.#changed) {
      this.#gradients.setSlope(task, this.#slope(task));
    }
    this.#changed.clear();
  }

  /** Null for a dead task. */
  #slope(task: number, unimproved: SearchAction | null = null): number | null {
    if (this.#dead.has(task)) {
      return null;
    }
    const { rounds, history } = this.#progress.of(task);
    const best = this.#progress.bestCost(task);
    const progress = {
      best,
      rounds: rounds + (unimproved && unimproved.reason.type !== "foresee" ? 1 : 0),
      history: unimproved ? [...history, best] : history,
      flops: this.#options.tasks[task]?.flops ?? Number.NaN,
      groupThroughput: this.#similarity.bestThroughput(task),
    };
    return slopeOf(progress, this.#options);
  }
}

function gradientsOf({ tasks, scoreAll }: CompleteOptions, progress: Progress, order: TaskOrder): Gradients {
  const weights = tasks.map((task) => task.weight);
  return scoreAll === null && weights.every((weight) => weight >= 0 && weight < Number.POSITIVE_INFINITY)
    ? new WeightedSumGradients(weights, progress.bestCosts, order)
    : new ObjectiveGradients(scoreAll ?? scoreAllBy(weightedSum(tasks)), progress.bestCosts, order);
}

/**
 * The first of the most negative; tied if none differs, where both references draw among all. `count`: how many tasks
 * the candidates were taken from.
 */
function steepestOf(candidates: readonly Candidate[], count: number): Steepest | null {
  const [first, ...others] = candidates;
  if (!first) {
    return null;
  }
  const steepest = others.reduce((least, each) => (isBefore(each, least) ? each : least), first);
  const tied = candidates.length === count && candidates.every(({ gradient }) => gradient === steepest.gradient);
  return { ...steepest, tied: tied ? candidates.map(({ task }) => task) : null };
}

function isBefore(one: Candidate, other: Candidate): boolean {
  return one.gradient < other.gradient || (one.gradient === other.gradient && one.task < other.task);
}
