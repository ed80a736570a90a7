import type { Families } from "../tuning/families.js";
import {
  type ExpectGains,
  type FastAction,
  FastScheduler,
  type MeasuredProgram,
  type RoundReport,
} from "../tuning/fast-scheduler.js";
import { scoreAllBy } from "../tuning/objective.js";
import { seededDraw } from "../tuning/random.js";
import { DEFAULT_MEANS, type Recipe } from "../tuning/recipe.js";
import { type Action, type RoundOutcome, Scheduler, type SearchTarget } from "../tuning/scheduler.js";
import type { Task } from "../tuning/task.js";
import type { CompleteTuneOptions } from "./options.js";

/** What decides in a job, the reference's scheduler or the fast one, asked in the same way. */
export interface Decider {
  readonly trialsPerRound: number;
  readonly trials: number;
  readonly score: number;
  readonly bestCosts: readonly number[];
  next(): Promise<Action | FastAction>;
  /** What will most likely be searched next on the tasks that are asked for; null where that cannot be said. */
  likelyNext(among: (task: number) => boolean): Promise<(SearchTarget & { readonly recipe?: Recipe }) | null>;
  observe(measured: readonly MeasuredProgram[], report: RoundReport): Promise<RoundOutcome>;
}

/** What a decider starts from. */
export interface Start {
  readonly measuredBefore: readonly { readonly task: number; readonly cost: number | null }[];
  readonly trialsBefore: number;
  readonly trialsPerRound: number;
  readonly leastCosts: readonly number[] | null;
  readonly expectGains: ExpectGains;
}

/** The decider that the options ask for. The same options and start decide the same, observing the same. */
export function makeDecider(
  options: CompleteTuneOptions,
  tasks: readonly Task[],
  families: Families | null,
  start: Start,
): Decider {
  if (options.mode === "fast") {
    return new FastScheduler({
      ...options,
      ...start,
      tasks,
      families,
      objective: options.objective ?? null,
      means: { ...DEFAULT_MEANS, ...options.means },
      carriedOver: options.loadModels !== null,
      leastCosts: start.leastCosts ?? [],
    });
  }
  const scheduler = new Scheduler({
    ...options,
    ...start,
    tasks,
    families,
    scoreAll: options.objective ? scoreAllBy(options.objective) : null,
    draw: seededDraw(options.seed),
  });
  return new ByReference(scheduler);
}

/** The reference's scheduler takes costs alone. */
class ByReference implements Decider {
  constructor(private readonly scheduler: Scheduler) {}

  get trialsPerRound(): number {
    return this.scheduler.trialsPerRound;
  }

  get trials(): number {
    return this.scheduler.trials;
  }

  get score(): number {
    return this.scheduler.score;
  }

  get bestCosts(): readonly number[] {
    return this.scheduler.bestCosts;
  }

  next(): Promise<Action> {
    return this.scheduler.next();
  }

  async likelyNext(among: (task: number) => boolean): Promise<SearchTarget | null> {
    const next = await this.scheduler.likelyNext();
    return next && among(next.task) ? next : null;
  }

  observe(measured: readonly MeasuredProgram[]): Promise<RoundOutcome> {
    return this.scheduler.observe(measured.map(({ cost }) => cost));
  }
}
