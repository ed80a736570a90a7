import TinyQueue from "tinyqueue";
import { InvalidRequestError } from "../../errors.js";
import { checkBudget, requireAtLeast } from "../budget.js";
import type { Families } from "../families.js";
import type { Objective } from "../objective.js";
import type { DeathReason, RoundOutcome, StopReason } from "../reference/scheduler.js";
import { measuredOrNull, type Task, UNMEASURED_COST } from "../task.js";
import { FamilyOutlook, mixed } from "./family-outlook.js";
import { DEFAULT_FAST_FLAGS, type FastFlags } from "./flags.js";
import type { Origin, Recipe } from "./recipe.js";

/** What a family's model expects a task's best schedules to gain in each sibling, as a share of its throughput. */
export type ExpectGains = (task: number, siblings: readonly number[]) => Promise<readonly number[]>;

export interface FastSchedulerOptions extends FastFlags {
  readonly tasks: readonly Task[];
  /** Null: each task is a family of its own. */
  readonly families: Families | null;
  /** What to make small; null: the weighted sum of the tasks' costs. */
  readonly objective: Objective | null;
  /** Programs to measure in the whole job; a round is cut short at its end. */
  readonly trials: number;
  /** Programs of a round; the first look at a family's first task takes up to twice as many. */
  readonly trialsPerRound: number;
  /** Programs of the first look at each further task of a family, and of a foresee round, at most. */
  readonly foreseeTrials: number;
  readonly expectGains: ExpectGains;
  /** Programs of a generation and generations, where the population does not adapt. */
  readonly population: number;
  readonly generations: number;
  /** @deprecated These flags are options themselves. */
  readonly means?: FastFlags;
  /** Whether there may be schedules of an earlier job to fit. */
  readonly carriedOver?: boolean;
  /** A bound on each task's cost from below, in seconds, where one is known. */
  readonly leastCosts?: readonly (number | null)[];
  /** Stop the job after this many programs without a better objective; null: never. */
  readonly earlyStopping?: number | null;
  /** Stop a task after this many programs without a better program; null: never. */
  readonly taskEarlyStopping?: number | null;
  /** Programs of an earlier run, oldest first, cost in seconds or null for one that failed. */
  readonly measuredBefore?: readonly { readonly task: number; readonly cost: number | null }[];
  /** Programs of an earlier run that `trials` counts, too. */
  readonly trialsBefore?: number;
}

export const FAST_SCHEDULER_DEFAULTS = {
  ...DEFAULT_FAST_FLAGS,
  carriedOver: false,
  leastCosts: [],
  earlyStopping: null,
  taskEarlyStopping: null,
  measuredBefore: [],
  trialsBefore: 0,
} as const satisfies Partial<FastSchedulerOptions>;

/** What an expected gain is counted by. */
export type RateUnit = "second" | "program";

/** Why a task was chosen. `rate` is what the objective was expected to fall by, in seconds `per` second of tuning or program. */
export type FastReason =
  | { readonly type: "first-look"; readonly family: string; readonly first: boolean }
  | { readonly type: "expected-gain"; readonly rate: number; readonly next: number | null; readonly per: RateUnit }
  | {
      readonly type: "expected-of-schedules";
      readonly family: string;
      readonly after: number;
      readonly gain: number;
      readonly rate: number;
      readonly per: RateUnit;
    };

export type FastAction =
  | {
      readonly type: "search";
      readonly task: number;
      readonly programs: number;
      readonly reason: FastReason;
      readonly recipe: Recipe;
    }
  | { readonly type: "stop"; readonly reason: StopReason };

export type FastSearch = Extract<FastAction, { type: "search" }>;

/** A program that was measured: seconds, or null if it failed, and where it came from. */
export interface MeasuredProgram {
  readonly cost: number | null;
  readonly origin: Origin;
}

/** What a round gives besides its programs: the seconds it took, and the model's accuracy, null where it knew too little. */
export interface RoundReport {
  readonly seconds: number;
  /** Of the pairs of the round's programs, the share whose order the family's model had foreseen. */
  readonly accuracy: number | null;
}

/** A round that gained more than this share makes its siblings candidates for a foresee round. */
const WORTH_FORESEEING = 0.02;
/** Of a first look, the share of schedules that were fitted; the rest is random. */
const FITTED_AT_FIRST = 0.75;
/** A first look has so many programs at least, if the job's rounds have. */
const LEAST_LOOK = 2;
/** Looks at a task of which no program ran, each twice as large as the one before. */
const UNMEASURED_LOOKS = 4;
/** A task is done when its best cost is within this factor of what the machine can do. */
const AT_THE_ROOF = 1.1;
/** So many siblings give their schedules, and so many are asked for what they expect of another's; of so many at most. */
const DONORS = 6;
const LOOKED_AT = 32;

const NO_PROGRAMS: Readonly<Record<Origin, number>> = { sibling: 0, descent: 0, evolution: 0, random: 0 };

interface State {
  readonly family: FamilyOutlook;
  /** Work that is expected, in parts of what a task has on average. */
  readonly work: number;
  looks: number;
  unimproved: number;
  best: number;
  /** Share of its cost that the next round is expected to take off. */
  expected: number;
  /** Seconds a program takes, with its share of searching and learning. */
  secondsPerProgram: number | null;
  dead: boolean;
}

/** A task's expected gain as it was after so many of its looks; outdated when there were more. */
interface Ranked {
  readonly task: number;
  readonly looks: number;
  readonly rate: number;
}

/**
 * Decides which task to search next, and by which recipe: first a look at every task, the first of each family a larger
 * one, then whatever is expected to lower the objective most per second.
 */
export class FastScheduler {
  readonly trialsPerRound: number;
  readonly #options: Required<Omit<FastSchedulerOptions, "means">>;
  readonly #states: State[];
  /** Tasks still to be looked at, the next one last. */
  readonly #toLookAt: number[];
  /** Tasks that had their first look since the ranking was last used. */
  #newlyLookedAt: number[] = [];
  readonly #ranking = new TinyQueue<Ranked>([], mostFirst);
  #secondsPerProgram = 1;
  /** Foresee rounds that may pay, the most promising first. */
  #foresee: FastSearch[] = [];
  #improved: number | null = null;
  #pending: FastSearch | null = null;
  #trials = 0;
  /** Of the tasks that have a program: the sum of their weighted costs; of the others, the weights and how many. */
  #measuredCost = 0;
  #unmeasuredWeight = 0;
  #unmeasured: number;
  #bestScore = Number.POSITIVE_INFINITY;
  #bestScoreTrials = 0;
  /** Until a program proves the bounds wrong. */
  #boundsHold = true;

  /** @throws InvalidRequestError for options that no job can run with. */
  constructor(options: FastSchedulerOptions) {
    this.#options = { ...FAST_SCHEDULER_DEFAULTS, ...options.means, ...options };
    const { tasks, trials, measuredBefore } = this.#options;
    checkBudget(this.#options);
    requireAtLeast("programs of a foresee round", this.#options.foreseeTrials, 1);
    this.#trials = this.#options.trialsBefore;
    this.trialsPerRound = Math.min(options.trialsPerRound, Math.floor(trials / tasks.length));
    const families = options.families ?? new Map(tasks.map((_, id) => [String(id), [id]]));
    const work = expectedWork(tasks, this.#options.leastCosts);
    const states = new Map<number, State>();
    for (const [name, ids] of families) {
      const family = new FamilyOutlook(name, ids, tasks, work);
      for (const id of ids) {
        states.set(id, newState(family, work[id] ?? 0));
      }
    }
    this.#states = tasks.map((_, id) => states.get(id) ?? missing(id));
    this.#unmeasured = tasks.length;
    this.#unmeasuredWeight = tasks.reduce((sum, { weight }) => sum + weight, 0);
    for (const { task, cost } of measuredBefore) {
      this.#state(task).looks = 1;
      this.#improve(task, cost ?? UNMEASURED_COST);
    }
    const order = [...families.values()].flatMap((ids) => [...ids].sort((a, b) => (work[b] ?? 0) - (work[a] ?? 0)));
    this.#toLookAt = order.filter((id) => this.#state(id).best === UNMEASURED_COST).toReversed();
    this.#newlyLookedAt = order.filter((id) => this.#state(id).best < UNMEASURED_COST);
  }

  /** The next thing to do. Asking again before `observe()` gives the same answer. */
  async next(): Promise<FastAction> {
    if (this.#pending) {
      return this.#pending;
    }
    const action = await this.#decide();
    if (action.type === "stop") {
      return action;
    }
    // Each task still to be looked at needs a program, too.
    const left = this.#options.trials - this.#trials - this.#toLookAt.length;
    this.#pending = { ...action, programs: Math.max(1, Math.min(action.programs, left)) };
    return this.#pending;
  }

  /** Takes what the last search action measured; nothing at all says that its search space is exhausted. */
  async observe(measured: readonly MeasuredProgram[], report: RoundReport): Promise<RoundOutcome> {
    const action = this.#pending;
    if (!action) {
      throw new Error("observe() was called with no search pending; call next() first.");
    }
    this.#pending = null;
    const { task } = action;
    const state = this.#state(task);
    const before = state.best;
    const foreseen = action.reason.type === "expected-of-schedules";
    this.#improve(task, Math.min(...measured.map(({ cost }) => cost ?? UNMEASURED_COST)));
    state.looks += 1;
    state.unimproved = state.best < before ? 0 : state.unimproved + measured.length;
    this.#trials += measured.length;
    this.#learn(task, before, measured, report);
    const died = measured.length === 0 && !foreseen ? "exhausted" : this.#doneWith(task);
    state.dead = died !== null;
    if (state.dead) {
      this.#foresee = this.#foresee.filter((each) => each.task !== task);
    } else {
      this.#queue(task, before);
    }
    this.#improved = !foreseen && state.best < before * (1 - WORTH_FORESEEING) ? task : null;
    const { score } = this;
    if (score < this.#bestScore) {
      this.#bestScore = score;
      this.#bestScoreTrials = this.#trials;
    }
    return {
      before: measuredOrNull(before),
      after: measuredOrNull(state.best),
      died,
      score: this.#unmeasured > 0 ? null : score,
      trials: this.#trials,
    };
  }

  /**
   * What the next search on the tasks that are asked for will most likely be, while the pending one is still measured. Null
   * where that cannot be said. Nothing is decided by asking.
   */
  async likelyNext(among: (task: number) => boolean = () => true): Promise<FastSearch | null> {
    if (this.#trials + (this.#pending?.programs ?? 0) >= this.#options.trials) {
      return null;
    }
    const look = this.#toLookAt.findLast(among);
    if (look !== undefined) {
      // What it is made of depends on the pending look, if that is the first at its family.
      const search = this.#firstLook(look);
      const pending = this.#pending && this.#state(this.#pending.task).family;
      return search.recipe.donors.length === 0 && this.#state(look).family === pending ? null : search;
    }
    // What those just looked at are expected to gain depends on the pending look, too.
    const known = this.#newlyLookedAt.length === 0;
    return known ? this.#mostGain((task) => task !== this.#pending?.task && among(task)) : null;
  }

  /** Programs measured so far. */
  get trials(): number {
    return this.#trials;
  }

  /** The objective of the best costs; tasks of which no program ran count with {@link UNMEASURED_COST}. */
  get score(): number {
    const { objective } = this.#options;
    return objective ? objective(this.bestCosts) : this.#measuredCost + this.#unmeasuredWeight * UNMEASURED_COST;
  }

  /** Best cost of each task in seconds; {@link UNMEASURED_COST} where no program ran. */
  get bestCosts(): number[] {
    return this.#states.map(({ best }) => best);
  }

  async #decide(): Promise<FastAction> {
    if (this.#trials >= this.#options.trials) {
      return stop({ type: "trials-spent", trials: this.#trials });
    }
    const look = this.#toLookAt.pop();
    if (look !== undefined) {
      return this.#firstLook(look);
    }
    const unimproved = this.#trials - this.#bestScoreTrials;
    if (unimproved >= (this.#options.earlyStopping ?? Number.POSITIVE_INFINITY)) {
      return stop({ type: "no-improvement", trials: unimproved });
    }
    const most = this.#mostGain();
    if (!most) {
      return stop({ type: "all-tasks-dead" });
    }
    await this.#lookForForeseen();
    const foreseen = this.#foresee.shift();
    return foreseen && rateOf(foreseen) > rateOf(most) ? foreseen : most;
  }

  #firstLook(task: number): FastSearch {
    const { family } = this.#state(task);
    const donors = this.#donors(task);
    const first = donors.length === 0;
    const programs = this.#programsOfLook(task, first);
    const { shareSchedules, carriedOver } = this.#options;
    const fits = shareSchedules && (!first || carriedOver);
    // One at least is random: there may be nothing to fit.
    const fitting = fits ? Math.min(programs - 1, Math.ceil(FITTED_AT_FIRST * programs)) : 0;
    const recipe = this.#recipe(family, donors, { sibling: fitting, random: programs - fitting });
    return { type: "search", task, programs, reason: { type: "first-look", family: family.name, first }, recipe };
  }

  /** Fewer where little of the work is a task's, or, as it is the first of its family, the family's; more at each further look. */
  #programsOfLook(task: number, first: boolean): number {
    const { trialsPerRound } = this;
    const { sizedLooks, foreseeTrials } = this.#options;
    const { family, work, looks } = this.#state(task);
    const most = first ? 2 * trialsPerRound : Math.min(foreseeTrials, trialsPerRound);
    const share = sizedLooks ? Math.min(1, first ? family.work : work) : 1;
    return (
      Math.max(Math.min(most, first ? foreseeTrials : LEAST_LOOK), Math.round(most * Math.sqrt(share))) * 2 ** looks
    );
  }

  /** The round that is expected to gain most, of those on the tasks that are asked for. */
  #mostGain(among: (task: number) => boolean = () => true): FastSearch | null {
    const [most, next] = this.#twoBest(among);
    if (!most) {
      return null;
    }
    const { task, rate } = most;
    const { family } = this.#state(task);
    const { shareSchedules, descent } = this.#options;
    const donors = shareSchedules ? this.#donors(task) : [];
    const origins: Origin[] = [];
    if (descent) {
      origins.push("descent");
    }
    if (donors.length > 0) {
      origins.push("sibling");
    }
    origins.push("evolution");
    const programs = this.trialsPerRound;
    const recipe = this.#recipe(family, donors, family.shares.share(programs, origins));
    const reason: FastReason = { type: "expected-gain", rate, next: next?.rate ?? null, per: this.#rateUnit };
    return { type: "search", task, programs, reason, recipe };
  }

  /** Puts a task where it waits for its next search: looked at again, or ranked among the others. */
  #queue(task: number, before: number): void {
    if (this.#state(task).best === UNMEASURED_COST) {
      // Where none of any task ran, the fault may be of all: each is looked at once before any is again.
      const anyRan = this.#states.some(({ best }) => best < UNMEASURED_COST);
      this.#toLookAt[anyRan ? "push" : "unshift"](task);
    } else if (before === UNMEASURED_COST) {
      this.#newlyLookedAt.push(task);
    } else {
      this.#ranking.push(this.#ranked(task));
    }
  }

  /** The two tasks that are expected to gain most per second, of those not dead. */
  #twoBest(among: (task: number) => boolean): Ranked[] {
    // Only now is it known how far the siblings of each have come.
    for (const task of this.#newlyLookedAt.splice(0)) {
      const state = this.#state(task);
      state.expected = state.family.prior((this.#options.tasks[task]?.flops ?? 0) / state.best);
      this.#ranking.push(this.#ranked(task));
    }
    // Under another objective than the sum a round on one task can change what all others gain.
    const ranking = this.#options.objective === null ? this.#ranking : this.#rankedAnew();
    const best: Ranked[] = [];
    const putBack: Ranked[] = [];
    while (best.length < 2) {
      const ranked = ranking.pop();
      if (!ranked) {
        break;
      }
      const { looks, dead } = this.#state(ranked.task);
      if (ranked.looks === looks && !dead) {
        putBack.push(ranked);
        if (among(ranked.task)) {
          best.push(ranked);
        }
      }
    }
    for (const ranked of putBack) {
      ranking.push(ranked);
    }
    return best;
  }

  #rankedAnew(): TinyQueue<Ranked> {
    const known = [...this.#states.keys()].filter((id) => this.#state(id).best < UNMEASURED_COST);
    return new TinyQueue(
      known.map((id) => this.#ranked(id)),
      mostFirst,
    );
  }

  #ranked(task: number): Ranked {
    const { looks, expected } = this.#state(task);
    return { task, looks, rate: this.#rate(task, expected, this.trialsPerRound) };
  }

  /** After a round that improved a task: which siblings its schedules are expected to improve, the most gain first. */
  async #lookForForeseen(): Promise<void> {
    const after = this.#improved;
    this.#improved = null;
    const { foreseeByGain, shareSchedules, foreseeTrials, expectGains } = this.#options;
    if (after === null || !foreseeByGain || !shareSchedules) {
      return;
    }
    const { family } = this.#state(after);
    const siblings = this.#donors(after).filter((id) => !this.#state(id).dead);
    // What an earlier improvement's schedules were expected to gain is outdated.
    this.#foresee = [];
    if (siblings.length === 0) {
      return;
    }
    const gains = await expectGains(after, siblings);
    const programs = Math.max(1, Math.floor(foreseeTrials / 2));
    const recipe = this.#recipe(family, [after], { sibling: programs });
    this.#foresee = siblings
      .flatMap((task, index): FastSearch[] => {
        const gain = gains[index] ?? 0;
        const rate = this.#rate(task, (gain / (1 + gain)) * family.accuracy, programs);
        const reason: FastReason = {
          type: "expected-of-schedules",
          family: family.name,
          after,
          gain,
          rate,
          per: this.#rateUnit,
        };
        return gain > WORTH_FORESEEING ? [{ type: "search", task, programs, reason, recipe }] : [];
      })
      .sort((a, b) => rateOf(b) - rateOf(a));
  }

  get #rateUnit(): RateUnit {
    return this.#options.gainPerSecond ? "second" : "program";
  }

  /** By how much the objective falls per second (or program) if a round takes that share off the task's cost. */
  #rate(task: number, share: number, programs: number): number {
    const { secondsPerProgram } = this.#state(task);
    const seconds = this.#rateUnit === "second" ? (secondsPerProgram ?? this.#secondsPerProgram) : 1;
    return this.#fall(task, share) / (seconds * programs);
  }

  /** By how much the objective falls if that share is taken off the task's cost. */
  #fall(task: number, share: number): number {
    const { objective, tasks } = this.#options;
    const { best } = this.#state(task);
    return objective === null
      ? (tasks[task]?.weight ?? 1) * best * share
      : objective(this.bestCosts) - objective(this.bestCosts.with(task, best * (1 - share)));
  }

  /** Takes a task's new cost in seconds, if it is better than its best. */
  #improve(task: number, cost: number): void {
    const state = this.#state(task);
    if (!(cost < state.best)) {
      return;
    }
    const { weight = 1, flops = 0 } = this.#options.tasks[task] ?? {};
    if (state.best === UNMEASURED_COST) {
      this.#unmeasured -= 1;
      this.#unmeasuredWeight -= weight;
      this.#measuredCost += weight * cost;
    } else {
      this.#measuredCost += weight * (cost - state.best);
    }
    state.best = cost;
    state.family.reached(flops / cost);
  }

  /** What a round says of the rounds to come: how long they take, and what they gain. */
  #learn(task: number, before: number, measured: readonly MeasuredProgram[], { seconds, accuracy }: RoundReport): void {
    const state = this.#state(task);
    const { family } = state;
    if (measured.length > 0) {
      const pace = seconds / measured.length;
      state.secondsPerProgram = mixed(state.secondsPerProgram, pace);
      this.#secondsPerProgram = mixed(this.#secondsPerProgram, pace);
    }
    if (accuracy !== null) {
      family.foresaw(accuracy);
    }
    if (before < UNMEASURED_COST) {
      family.shares.observe(before, measured);
      state.expected = mixed(state.expected, (before - state.best) / before);
    }
  }

  #doneWith(task: number): DeathReason | null {
    const { best, unimproved, looks } = this.#state(task);
    const least = this.#options.leastCosts[task] ?? 0;
    if (best < least) {
      // Something else had the machine when it was measured; the other tasks' bounds are as wrong.
      this.#boundsHold = false;
    }
    if (this.#boundsHold && best <= AT_THE_ROOF * least) {
      return "at-the-roof";
    }
    if (best === UNMEASURED_COST && looks >= UNMEASURED_LOOKS) {
      return "never-ran";
    }
    return unimproved > (this.#options.taskEarlyStopping ?? Number.POSITIVE_INFINITY) ? "unimproved" : null;
  }

  #recipe(family: FamilyOutlook, donors: readonly number[], programs: Partial<Record<Origin, number>>): Recipe {
    const { adaptivePopulation, population, generations, draft } = this.#options;
    const evolution = adaptivePopulation ? family.evolution : { population, generations };
    return {
      programs: { ...NO_PROGRAMS, ...programs },
      donors,
      ...evolution,
      draft,
    };
  }

  /** The most alike of a task's siblings that have a program. */
  #donors(task: number): number[] {
    const donors: number[] = [];
    let looked = 0;
    for (const sibling of this.#state(task).family.likeness.near(task)) {
      looked += 1;
      if (this.#state(sibling).best < UNMEASURED_COST) {
        donors.push(sibling);
      }
      if (donors.length === DONORS || looked === LOOKED_AT) {
        break;
      }
    }
    return donors;
  }

  #state(task: number): State {
    const state = this.#states[task];
    if (!state) {
      throw new Error(`There is no task ${task}.`);
    }
    return state;
  }
}

/** Where rates are equal the task decides, so that no order of asking does. */
function mostFirst(a: Ranked, b: Ranked): number {
  return b.rate - a.rate || a.task - b.task;
}

function newState(family: FamilyOutlook, work: number): State {
  return {
    family,
    work,
    looks: 0,
    unimproved: 0,
    best: UNMEASURED_COST,
    expected: 0,
    secondsPerProgram: null,
    dead: false,
  };
}

function missing(id: number): never {
  throw new InvalidRequestError(`Task ${id} is in no family. Expected each task in one.`);
}

function stop(reason: StopReason): FastAction {
  return { type: "stop", reason };
}

function rateOf({ reason }: FastSearch): number {
  return reason.type === "first-look" ? 0 : reason.rate;
}

/**
 * How much of the network's time is expected to be each task's, in parts of what a task has on average: by what the machine
 * needs for it at least, or else by its FLOPs.
 */
function expectedWork(tasks: readonly Task[], leastCosts: readonly (number | null)[]): number[] {
  const bounds = tasks.map((_, id) => leastCosts[id] ?? null);
  const costs = bounds.every((bound) => bound !== null) ? bounds : tasks.map(({ flops }) => Math.max(0, flops));
  const work = tasks.map(({ weight }, id) => weight * (costs[id] ?? 0));
  const sum = work.reduce((total, each) => total + each, 0);
  return work.map((each) => (sum > 0 ? (each / sum) * tasks.length : 1));
}
