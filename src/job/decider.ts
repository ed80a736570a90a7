import type {
  Action,
  Decider,
  FastAction,
  FastReason,
  LikelySearch,
  MeasuredProgram,
  PastProgram,
  RoundOutcome,
  RoundReport,
  SearchReason,
} from "../core/decider.js";
import type { Families } from "../core/families.js";
import { EVOLUTIONS, EVOLUTIONS_BY_ROUND } from "../core/fast/evolutions.js";
import { FastScheduler } from "../core/fast/fast-scheduler.js";
import type { ExpectGains } from "../core/fast/options.js";
import { scoreAllBy } from "../core/objective.js";
import { seededDraw } from "../core/random.js";
import { MetaScheduler } from "../core/reference/meta-scheduler.js";
import { minstdDraw } from "../core/reference/minstd.js";
import { Scheduler } from "../core/reference/scheduler.js";
import { type SearchPolicy, tunerOf } from "../core/search-policy.js";
import { InvalidRequestError } from "../errors.js";
import type { NamedTask } from "./events.js";
import type { SizedTuneOptions } from "./round-sizes.js";

/** What a job is decided from. */
export interface Start {
  readonly policy: SearchPolicy;
  readonly measuredBefore: readonly PastProgram[];
  readonly trialsBefore: number;
  readonly trialsPerRound: number;
  /** Programs of a family's first look at most; null: as many as two rounds have. */
  readonly firstLook: number | null;
  /** One for each of the job's tasks, in their order. */
  readonly leastCosts: readonly number[] | null;
  /** Families for which the library has schedules of earlier jobs. */
  readonly carriedOver: readonly string[];
  readonly expectGains: ExpectGains;
}

/** The decider that the options ask for. The same options and start decide the same, observing the same. */
export function makeDecider(
  options: SizedTuneOptions,
  tasks: readonly NamedTask[],
  families: Families | null,
  start: Start,
): JobDecider {
  const numbers = new Numbers(tasks.map(({ id }) => id));
  const inPlaces = families && new Map([...families].map(([name, ids]) => [name, ids.map(numbers.placeOf)] as const));
  const scheduler = makeScheduler(options, tasks, inPlaces, {
    ...start,
    measuredBefore: start.measuredBefore.map(({ task, cost }) => ({ task: numbers.placeOf(task), cost })),
    expectGains: (task, siblings) => start.expectGains(numbers.of(task), siblings.map(numbers.of)),
  });
  return new JobDecider(scheduler, numbers);
}

/** The schedulers know a task by its place in the list of those they decide on. */
function makeScheduler(
  options: SizedTuneOptions,
  tasks: readonly NamedTask[],
  families: Families | null,
  start: Start,
): Decider {
  if (options.mode === "fast") {
    // Each alone, by its number in the network.
    const inFamilies = families ?? new Map(tasks.map(({ id }, place) => [String(id), [place]]));
    return new FastScheduler({
      ...options,
      ...start,
      tasks,
      evolutions: (options.judgeByEarlier ? EVOLUTIONS : EVOLUTIONS_BY_ROUND)[tunerOf(start.policy)],
      families: inFamilies,
      objective: options.objective ?? null,
      // Which of them an earlier job's folder has schedules for, the worker alone knows.
      carriedOver: options.loadModels === null ? start.carriedOver : [...inFamilies.keys()],
      leastCosts: start.leastCosts ?? [],
    });
  }
  if (tunerOf(start.policy) === "metaschedule" && families === null) {
    if (options.objective) {
      throw new InvalidRequestError(
        `An objective of its own has no part in the search policy ${start.policy.name}: MetaSchedule's scheduler knows the ` +
          "weighted sum of the tasks' latencies alone. Take a policy with families, such as meta.xgb.family_op, or the fast mode.",
      );
    }
    return new MetaScheduler({ ...options, ...start, tasks, draw: minstdDraw(options.seed) });
  }
  return new Scheduler({
    ...options,
    ...start,
    tasks,
    families,
    scoreAll: options.objective ? scoreAllBy(options.objective) : null,
    draw: seededDraw(options.seed),
  });
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

/** What decides in a job, with tasks named by their numbers in the network. */
export class JobDecider {
  constructor(
    /** Its own account of the job: of the job's tasks, each at its place among them. */
    readonly scheduler: Decider,
    private readonly numbers: Numbers,
  ) {}

  async next(): Promise<Action | FastAction> {
    const action = await this.scheduler.next();
    return action.type === "stop" ? action : this.#named(action);
  }

  observe(measured: readonly MeasuredProgram[], report: RoundReport): Promise<RoundOutcome> {
    return this.scheduler.observe(measured, report);
  }

  async likelyNext(among: (task: number) => boolean): Promise<LikelySearch | null> {
    const next = await this.scheduler.likelyNext((place) => among(this.numbers.of(place)));
    return next && this.#named(next);
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
