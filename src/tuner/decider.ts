import { readLog } from "../records/log.js";
import type { Families } from "../tuning/families.js";
import { type FastAction, FastScheduler, type MeasuredProgram, type RoundReport } from "../tuning/fast-scheduler.js";
import { scoreAllBy } from "../tuning/objective.js";
import { seededDraw } from "../tuning/random.js";
import { ALL_MEANS, type Recipe } from "../tuning/recipe.js";
import { type Action, type RoundOutcome, Scheduler, type SearchTarget } from "../tuning/scheduler.js";
import type { Task } from "../tuning/task.js";
import type { Worker } from "../worker/worker.js";
import type { CompleteTuneOptions } from "./options.js";

const DEADLINE = { deadlineMs: 5 * 60_000 };

/** What decides in a job, the reference's scheduler or the fast one, asked in the same way. */
export interface Decider {
  readonly trialsPerRound: number;
  readonly trials: number;
  readonly score: number;
  readonly bestCosts: readonly number[];
  next(): Promise<Action | FastAction>;
  likelyNext(): Promise<(SearchTarget & { readonly recipe?: Recipe }) | null>;
  observe(measured: readonly MeasuredProgram[], report: RoundReport): Promise<RoundOutcome>;
}

/** The decider that the options ask for, with the records of `loadLog` taken over; the fast one asks the worker, too. */
export async function makeDecider(
  options: CompleteTuneOptions,
  tasks: readonly Task[],
  families: Families | null,
  target: string,
  worker: Worker,
): Promise<Decider> {
  const measuredBefore = await earlierRecords(options, tasks, target);
  if (options.mode === "fast") {
    const means = { ...ALL_MEANS, ...options.means };
    const bounds = means.roofline ? await worker.request("bounds", {}, DEADLINE) : null;
    return new FastScheduler({
      ...options,
      tasks,
      families,
      measuredBefore,
      objective: options.objective ?? null,
      means,
      carriedOver: options.loadModels !== null,
      leastCosts: bounds?.least_costs ?? [],
      expectGains: async (task, siblings) =>
        (await worker.request("foresee", { task, siblings: [...siblings] }, DEADLINE)).gains,
    });
  }
  const scheduler = new Scheduler({
    ...options,
    tasks,
    families,
    measuredBefore,
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

  likelyNext(): Promise<SearchTarget | null> {
    return this.scheduler.likelyNext();
  }

  observe(measured: readonly MeasuredProgram[]): Promise<RoundOutcome> {
    return this.scheduler.observe(measured.map(({ cost }) => cost));
  }
}

async function earlierRecords(options: CompleteTuneOptions, tasks: readonly Task[], target: string) {
  if (options.loadLog === null) {
    return [];
  }
  const byKey = new Map(tasks.map((task, id) => [task.workloadKey, id]));
  return (await readLog(options.loadLog)).flatMap(({ workloadKey, target: measuredOn, cost }) => {
    const task = byKey.get(workloadKey);
    return task === undefined || measuredOn !== target ? [] : [{ task, cost }];
  });
}
