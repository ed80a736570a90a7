import type { Task } from "./task.js";

/** Base of the logarithm by which TVM puts FLOP counts into classes (auto_scheduler/utils.py: derive_similarity_tag). */
const FLOP_CLASS_BASE = 1.618;
/** Rounds a task may be ahead of its group before it can be found not to be like it. */
const ROUNDS_AHEAD = 5;

/**
 * TVM's similarity groups: tasks with the same operation tags and about the same FLOP count, whose throughput is taken
 * to be alike when a gradient looks forward. They are not families: they only bound a gradient.
 */
export class SimilarityGroups {
  readonly #groupOf = new Map<number, number[]>();
  readonly #flops: readonly number[];
  readonly #removed: number[] = [];

  constructor(tasks: readonly Task[]) {
    this.#flops = tasks.map((task) => task.flops);
    const groups = new Map<string, number[]>();
    for (const [id, task] of tasks.entries()) {
      const tag = similarityTag(task);
      if (tag === null) {
        continue;
      }
      const group = groups.get(tag) ?? [];
      group.push(id);
      groups.set(tag, group);
      this.#groupOf.set(id, group);
    }
  }

  /** The best throughput (FLOP/s) among the tasks of a task's group; null for a task that is like no other. */
  bestThroughput(id: number, bestCosts: readonly number[]): number | null {
    const group = this.#groupOf.get(id);
    return group && group.length > 1 ? this.#bestThroughput(group, bestCosts) : null;
  }

  /** Takes a task out of its group if, after many more rounds than the others, it is still `beta` times slower. */
  removeIfUnlike(id: number, bestCosts: readonly number[], rounds: readonly number[], beta: number): void {
    const group = this.#groupOf.get(id);
    if (!group || group.length <= 1) {
      return;
    }
    const throughput = this.#throughput(id, bestCosts);
    const others = group.filter((other) => other !== id);
    const mostRounds = Math.max(...others.map((other) => rounds[other] ?? 0));
    if (throughput < this.#bestThroughput(group, bestCosts) / beta && (rounds[id] ?? 0) > ROUNDS_AHEAD + mostRounds) {
      group.splice(group.indexOf(id), 1);
      this.#groupOf.delete(id);
      this.#removed.push(id);
    }
  }

  /** The tasks taken out, in ascending order. */
  get removed(): readonly number[] {
    return [...this.#removed].sort((a, b) => a - b);
  }

  #bestThroughput(group: readonly number[], bestCosts: readonly number[]): number {
    return Math.max(...group.map((id) => this.#throughput(id, bestCosts)));
  }

  #throughput(id: number, bestCosts: readonly number[]): number {
    return this.#flopsOf(id) / (bestCosts[id] ?? Number.NaN);
  }

  #flopsOf(id: number): number {
    return this.#flops[id] ?? Number.NaN;
  }
}

function similarityTag(task: Task): string | null {
  if (task.similarityTags.length === 0 || task.flops < 0) {
    return null;
  }
  const flopClass = Math.trunc(Math.log(task.flops + 1) / Math.log(FLOP_CLASS_BASE));
  return [...task.similarityTags, flopClass].join("_");
}
