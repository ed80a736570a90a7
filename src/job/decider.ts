import type { Families } from "../core/families.js";
import {
  type ExpectGains,
  type FastAction,
  type FastReason,
  FastScheduler,
  type MeasuredProgram,
  type RoundReport,
} from "../core/fast/fast-scheduler.js";
import type { Recipe } from "../core/fast/recipe.js";
import { scoreAllBy } from "../core/objective.js";
import { seededDraw } from "../core/random.js";
import {
  type Action,
  type RoundOutcome,
  Scheduler,
  type SearchReason,
  type SearchTarget,
} from "../core/reference/scheduler.js";
import type { CompleteTuneOptions } from "../options/defaults.js";
import type { NamedTask } from "./events.js";

/**
 * What decides in a job, the reference's scheduler or the fast one, asked in the same way. Tasks are named by their numbers in
 * the network; `bestCosts` has one for each of the job's tasks, in their order.
 */
export interface Decider {
  readonly trialsPerRound: number;
  readonly trials: number;
  readonly score: number;
  readonly bestCosts: readonly number[];
  next(): Promise<Action | FastAction>;
  /** What will most likely be searched next on the tasks that are asked for; null where that cannot be said. */
  likelyNext(among: (task: number) => boolean): Promise<LikelySearch | null>;
  observe(measured: readonly MeasuredProgram[], report: RoundReport): Promise<RoundOutcome>;
}

type LikelySearch = SearchTarget & { readonly recipe?: Recipe };

/** What a decider starts from. */
export interface Start {
  readonly measuredBefore: readonly { readonly task: number; readonly cost: number | null }[];
  readonly trialsBefore: number;
  readonly trialsPerRound: number;
  /** One for each of the job's tasks, in their order. */
  readonly leastCosts: readonly number[] | null;
  readonly expectGains: ExpectGains;
}

/** The decider that the options ask for. The same options and start decide the same, observing the same. */
export function makeDecider(
  options: CompleteTuneOptions,
  tasks: readonly NamedTask[],
  families: Families | null,
  start: Start,
): Decider {
  const numbers = new Numbers(tasks.map(({ id }) => id));
  const inPlaces = families && new Map([...families].map(([name, ids]) => [name, ids.map(numbers.placeOf)] as const));
  const decider = makeDeciderOfPlaces(options, tasks, inPlaces, {
    ...start,
    measuredBefore: start.measuredBefore.map(({ task, cost }) => ({ task: numbers.placeOf(task), cost })),
    expectGains: (task, siblings) => start.expectGains(numbers.of(task), siblings.map(numbers.of)),
  });
  return new ByNumber(decider, numbers);
}

/** The schedulers know a task by its place in the list of those they decide on. */
function makeDeciderOfPlaces(
  options: CompleteTuneOptions,
  tasks: readonly NamedTask[],
  families: Families | null,
  start: Start,
): Decider {
  if (options.mode === "fast") {
    return new FastScheduler({
      ...options,
      ...start,
      tasks,
      // Each alone, by its number in the network.
      families: families ?? new Map(tasks.map(({ id }, place) => [String(id), [place]])),
      objective: options.objective ?? null,
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

/** The numbers in their network of the tasks that a job tunes, and their places among them. */
class Numbers {
  readonly #places: ReadonlyMap<number, number>;

  constructor(private readonly numbers: readonly number[]) {
    this.#places = new Map(numbers.map((number, place) => [number, place]));
  }

  readonly of = (place: number): number => this.numbers[place] ?? missing(place);

  readonly placeOf = (number: number): number => this.#places.get(number) ?? missing(number);
}

function missing(task: number): never {
  throw new Error(`There is no task ${task} in this job.`);
}

/** Names tasks by their numbers in the network, where those of a scheduler are places. */
class ByNumber implements Decider {
  constructor(
    private readonly decider: Decider,
    private readonly numbers: Numbers,
  ) {}

  get trialsPerRound(): number {
    return this.decider.trialsPerRound;
  }

  get trials(): number {
    return this.decider.trials;
  }

  get score(): number {
    return this.decider.score;
  }

  get bestCosts(): readonly number[] {
    return this.decider.bestCosts;
  }

  async next(): Promise<Action | FastAction> {
    const action = await this.decider.next();
    return action.type === "stop" ? action : this.#named(action);
  }

  async likelyNext(among: (task: number) => boolean): Promise<LikelySearch | null> {
    const next = await this.decider.likelyNext((place) => among(this.numbers.of(place)));
    return next && this.#named(next);
  }

  observe(measured: readonly MeasuredProgram[], report: RoundReport): Promise<RoundOutcome> {
    return this.decider.observe(measured, report);
  }

  #named<S extends LikelySearch & { readonly reason?: SearchReason | FastReason }>(search: S): S {
    const { task, recipe, reason } = search;
    return {
      ...search,
      task: this.numbers.of(task),
      ...(recipe && { recipe: { ...recipe, donors: recipe.donors.map(this.numbers.of) } }),
      ...(reason && { reason: "after" in reason ? { ...reason, after: this.numbers.of(reason.after) } : reason }),
    };
  }
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
