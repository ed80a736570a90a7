import type { Task } from "../task.js";

/** Base of the logarithm by which TVM puts FLOP counts into classes (auto_scheduler/utils.py: derive_similarity_tag). */
const FLOP_CLASS_BASE = 1.618;
/** Rounds a task may be ahead of its group before it can be found not to be like it. */
const ROUNDS_AHEAD = 5;

interface Group {
  readonly members: Set<number>;
  bestThroughput: number;
  /** How many members have had at least so many rounds, by that number from 1 on. */
  readonly withRounds: number[];
}

/**
 * TVM's similarity groups: tasks with the same operation tags and about the same FLOP count, whose throughput is taken
 * to be alike when a gradient looks forward. They are not families: they only bound a gradient.
 */
export class SimilarityGroups {
  readonly #groupOf = new Map<number, Group>();
  readonly #flops: readonly number[];
  readonly #throughputs: number[];
  readonly #rounds: number[];
  readonly #removed: number[] = [];

  /** `costs` (seconds) and `rounds`: what each task has reached so far. */
  constructor(tasks: readonly Task[], costs: readonly number[], rounds: readonly number[]) {
    this.#flops = tasks.map((task) => task.flops);
    this.#throughputs = costs.map((cost, id) => this.#flopsOf(id) / cost);
    this.#rounds = tasks.map(() => 0);
    const groups = new Map<string, Group>();
    for (const [id, task] of tasks.entries()) {
      const tag = similarityTag(task);
      if (tag === null) {
        continue;
      }
      const group = groups.get(tag) ?? { members: new Set(), bestThroughput: Number.NEGATIVE_INFINITY, withRounds: [] };
      group.members.add(id);
      group.bestThroughput = Math.max(group.bestThroughput, this.#throughput(id));
      groups.set(tag, group);
      this.#groupOf.set(id, group);
      for (let round = 0; round < (rounds[id] ?? 0); round += 1) {
        this.countRound(id);
      }
    }
  }

  /** The best throughput (FLOP/s) among the tasks of a task's group; null for a task that is like no other. */
  bestThroughput(id: number): number | null {
    const group = this.#groupOf.get(id);
    return group && group.members.size > 1 ? group.bestThroughput : null;
  }

  /** A task has had a round more. */
  countRound(id: number): void {
    const rounds = (this.#rounds[id] ?? 0) + 1;
    this.#rounds[id] = rounds;
    const group = this.#groupOf.get(id);
    if (group) {
      group.withRounds[rounds] = (group.withRounds[rounds] ?? 0) + 1;
    }
  }

  /** A task's cost has fallen to `cost` seconds. Gives the tasks whose group's best throughput changed. */
  setCost(id: number, cost: number): Iterable<number> {
    const throughput = this.#flopsOf(id) / cost;
    this.#throughputs[id] = throughput;
    const group = this.#groupOf.get(id);
    if (!group || throughput <= group.bestThroughput) {
      return [];
    }
    group.bestThroughput = Math.max(group.bestThroughput, throughput);
    return group.members;
  }

  /**
   * Takes a task out of its group if, after many more rounds than the others, it is still `beta` times slower. Gives
   * the tasks whose group's best throughput changed.
   */
  removeIfUnlike(id: number, beta: number): Iterable<number> {
    const group = this.#groupOf.get(id);
    if (!group || group.members.size <= 1) {
      return [];
    }
    const rounds = this.#rounds[id] ?? 0;
    // With the task itself, who is that close to it?
    const isAhead = rounds > ROUNDS_AHEAD && group.withRounds[rounds - ROUNDS_AHEAD] === 1;
    if (!(isAhead && this.#throughput(id) < group.bestThroughput / beta)) {
      return [];
    }
    group.members.delete(id);
    for (let round = 1; round <= rounds; round += 1) {
      group.withRounds[round] = (group.withRounds[round] ?? 0) - 1;
    }
    group.bestThroughput = [...group.members].reduce(
      (best, member) => Math.max(best, this.#throughput(member)),
      Number.NEGATIVE_INFINITY,
    );
    this.#groupOf.delete(id);
    this.#removed.push(id);
    return [id, ...group.members];
  }

  /** The tasks taken out, in ascending order. */
  get removed(): readonly number[] {
    return [...this.#removed].sort((a, b) => a - b);
  }

  #throughput(id: number): number {
    return this.#throughputs[id] ?? Number.NaN;
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
