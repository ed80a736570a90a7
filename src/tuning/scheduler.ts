import { InvalidRequestError } from "../errors.js";
import type { Families } from "./families.js";
import { gradientOf, steppedCosts } from "./gradient.js";
import { type ScoreAll, scoresOf } from "./objective.js";
import type { Draw } from "./random.js";
import { SimilarityGroups } from "./similarity.js";
import { type Task, UNMEASURED_COST } from "./task.js";

export const STRATEGIES = ["gradient", "round-robin"] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** Above this cost (seconds) a task counts as not measured when the whole job may stop early; TVM's number. */
const MEASURED_BELOW = 1e9;

export interface SchedulerOptions {
  readonly tasks: readonly Task[];
  /** Null: no families, and so no foresee rounds; the decisions are TVM's own. */
  readonly families: Families | null;
  readonly scoreAll: ScoreAll;
  /** Programs to measure in the whole job. A round is never cut short, so a job may end a round above it. */
  readonly trials: number;
  /** Programs per round; less is asked for where `trials` would not give every task a round. */
  readonly trialsPerRound: number;
  readonly draw: Draw;
  readonly strategy?: Strategy;
  readonly alpha?: number;
  readonly beta?: number;
  /** Taken and kept as TVM's scheduler does, which decides nothing by it either. */
  readonly gamma?: number;
  readonly backwardWindow?: number;
  /** Stop the job after this many programs without a better objective; null: never. */
  readonly earlyStopping?: number | null;
  /** Stop a task after this many programs without a better program; null: never. */
  readonly taskEarlyStopping?: number | null;
  /** Programs of a foresee round. */
  readonly foreseeTrials?: number;
  /**
   * Search a task no further if no program ran of it in warm-up, as TVM does since 0.18. FamilySeer's own scheduler goes
   * on with it, and, as its cost counts as 1e10 seconds, hardly with anything else.
   */
  readonly giveUpUnmeasured?: boolean;
  /** Programs of an earlier run, oldest first, cost in seconds or null for one that failed. */
  readonly measuredBefore?: readonly { readonly task: number; readonly cost: number | null }[];
  /** How far each task has come when the job starts, where it does not start from nothing. */
  readonly startAt?: readonly StartingPoint[];
}

export interface StartingPoint {
  readonly rounds: number;
  readonly bestRound: number;
  /** Seconds; {@link UNMEASURED_COST} where no program ran. */
  readonly bestCost: number;
  /** Best cost after each round. */
  readonly history: readonly number[];
  readonly dead: boolean;
}

export const SCHEDULER_DEFAULTS = {
  strategy: "gradient",
  alpha: 0.2,
  beta: 2,
  gamma: 0.5,
  backwardWindow: 3,
  earlyStopping: null,
  taskEarlyStopping: null,
  foreseeTrials: 16,
  giveUpUnmeasured: true,
  measuredBefore: [],
  startAt: [],
} as const satisfies Partial<SchedulerOptions>;

/** Why a task was chosen. `gradients[i]` is task i's when the round (or the main round before it) was chosen. */
export type SearchReason =
  | { readonly type: "warm-up" }
  | { readonly type: "next-in-turn" }
  | { readonly type: "steepest"; readonly gradients: readonly number[] }
  | { readonly type: "drawn"; readonly among: readonly number[]; readonly gradients: readonly number[] }
  | {
      readonly type: "foresee";
      readonly family: string;
      readonly after: number;
      readonly among: readonly number[];
      readonly drawn: boolean;
      readonly gradients: readonly number[];
    };

export type StopReason =
  | { readonly type: "trials-spent"; readonly trials: number }
  | { readonly type: "all-tasks-dead" }
  | { readonly type: "no-improvement"; readonly trials: number };

export type Action =
  | { readonly type: "search"; readonly task: number; readonly programs: number; readonly reason: SearchReason }
  | { readonly type: "stop"; readonly reason: StopReason };

/** A task, and how many programs of it. */
export type SearchTarget = Pick<SearchAction, "task" | "programs">;

export type SearchAction = Extract<Action, { type: "search" }>;

/** What a round did to the state. */
export interface RoundOutcome {
  /** Best cost of the task in seconds before and after; null while no program ran. */
  readonly before: number | null;
  readonly after: number | null;
  /** The round left the task dead: nothing was left to measure, or it stopped improving. */
  readonly died: boolean;
  /** The objective after the round. */
  readonly score: number;
  /** Programs measured in the job so far. */
  readonly trials: number;
}

interface TaskState {
  rounds: number;
  bestRound: number;
  readonly history: number[];
}

/**
 * Decides which task to search next: TVM 0.18's task scheduler without families, FamilySeer's with them.
 *
 * `next()` gives an action; once it is done, `observe()` takes what it measured. It does no I/O and reads no clock,
 * so the same observations, scores and draws give the same actions. Scores and draws may come from another process,
 * which is why both wait.
 */
export class Scheduler {
  readonly trialsPerRound: number;
  readonly #tasks: readonly Task[];
  readonly #options: Required<SchedulerOptions>;
  readonly #similarity: SimilarityGroups;
  readonly #states: TaskState[];
  readonly #dead: Set<number>;
  readonly #actions: AsyncGenerator<Action, never>;
  #bestCosts: number[];
  #score = Number.NaN;
  #trials = 0;
  #bestScore = Number.NaN;
  #bestScoreTrials = 0;
  #pending: SearchAction | null = null;

  /** @throws InvalidRequestError for options that no job can run with. */
  constructor(options: SchedulerOptions) {
    this.#options = { ...SCHEDULER_DEFAULTS, ...options };
    this.#tasks = options.tasks;
    checkOptions(this.#options);
    this.trialsPerRound = Math.min(options.trialsPerRound, Math.floor(options.trials / options.tasks.length));
    this.#similarity = new SimilarityGroups(options.tasks);
    const startAt = options.tasks.map((_, id) => this.#options.startAt[id] ?? NOTHING_DONE);
    this.#states = startAt.map(({ rounds, bestRound, history }) => ({ rounds, bestRound, history: [...history] }));
    this.#bestCosts = startAt.map(({ bestCost }) => bestCost);
    this.#dead = new Set([...startAt.keys()].filter((id) => startAt[id]?.dead));
    if (this.#options.measuredBefore.length > 0) {
      this.#restore();
    }
    this.#actions = this.#decide();
  }

  /** The next thing to do. Asking again before `observe()` gives the same answer. */
  async next(): Promise<Action> {
    if (this.#pending) {
      return this.#pending;
    }
    const action = (await this.#actions.next()).value;
    this.#pending = action.type === "search" ? action : null;
    return action;
  }

  /**
   * Takes what the last search action measured: one cost in seconds per program, null for one that failed; nothing at
   * all says that the task's search space is exhausted.
   */
  async observe(costs: readonly (number | null)[]): Promise<RoundOutcome> {
    const action = this.#pending;
    if (!action) {
      throw new Error("observe() was called with no search pending; call next() first.");
    }
    this.#pending = null;
    const { task, programs } = action;
    const state = this.#state(task);
    const before = this.#bestCost(task);
    // A foresee round moves a sibling on without counting as one of its rounds (FamilySeer, section 4.2).
    if (action.reason.type !== "foresee") {
      state.rounds += 1;
    }
    for (const cost of costs) {
      if (cost !== null && cost < this.#bestCost(task)) {
        state.bestRound = state.rounds;
        this.#bestCosts[task] = cost;
      }
    }
    const unimproved = (state.rounds - state.bestRound) * programs;
    const died = costs.length === 0 || unimproved > (this.#options.taskEarlyStopping ?? Number.POSITIVE_INFINITY);
    if (died) {
      this.#dead.add(task);
    }
    state.history.push(this.#bestCost(task));
    this.#trials += costs.length;
    await this.#rescore();
    return {
      before: measuredOrNull(before),
      after: measuredOrNull(this.#bestCost(task)),
      died,
      score: this.#score,
      trials: this.#trials,
    };
  }

  /**
   * What the next search will most likely be, while the pending one is still measured: what it will be if the pending
   * one improves nothing. Null where that cannot be said, or no other follows. Nothing is decided by asking.
   */
  async likelyNext(): Promise<SearchTarget | null> {
    const pending = this.#pending;
    if (!pending) {
      return null;
    }
    const { trialsPerRound } = this;
    if (pending.reason.type === "warm-up") {
      const next = this.#states.findIndex(({ rounds }, id) => rounds === 0 && id > pending.task);
      return next < 0 ? null : { task: next, programs: trialsPerRound };
    }
    if (pending.reason.type === "next-in-turn") {
      return { task: this.#nextAlive(pending.task), programs: trialsPerRound };
    }
    if (pending.reason.type !== "foresee") {
      const sibling = this.#sibling(pending.task, pending.reason.gradients);
      if (sibling) {
        const drawn = sibling.tied && sibling.among.length > 1;
        return drawn ? null : { task: sibling.task, programs: this.#options.foreseeTrials };
      }
    }
    if (this.#trials + pending.programs >= this.#options.trials) {
      return null;
    }
    const gradients = await this.#gradients(pending);
    const { index, tied } = mostNegative(gradients);
    return tied ? null : { task: index, programs: trialsPerRound };
  }

  /** Programs measured so far. */
  get trials(): number {
    return this.#trials;
  }

  /** The objective of the best costs; tasks of which no program ran count with {@link UNMEASURED_COST}. */
  get score(): number {
    return this.#score;
  }

  /** The best score since warm-up, and the programs measured when it was reached; NaN and 0 before. */
  get bestScore(): { readonly score: number; readonly trials: number } {
    return { score: this.#bestScore, trials: this.#bestScoreTrials };
  }

  /** Best cost of each task in seconds; {@link UNMEASURED_COST} where no program ran. */
  get bestCosts(): readonly number[] {
    return [...this.#bestCosts];
  }

  /** Rounds given to each task, foresee rounds not counted. */
  get rounds(): readonly number[] {
    return this.#states.map((state) => state.rounds);
  }

  /** The round in which each task's best program was found. */
  get bestRounds(): readonly number[] {
    return this.#states.map((state) => state.bestRound);
  }

  /** Best cost of each task after each of its rounds, foresee rounds included, in seconds. */
  get histories(): readonly (readonly number[])[] {
    return this.#states.map((state) => [...state.history]);
  }

  /** Tasks whose similarity group was found not to be like them, in ascending order. */
  get unlikeTasks(): readonly number[] {
    return this.#similarity.removed;
  }

  /** Tasks that are not searched any more, in ascending order. */
  get deadTasks(): readonly number[] {
    return [...this.#dead].sort((a, b) => a - b);
  }

  async *#decide(): AsyncGenerator<Action, never> {
    await this.#rescore();
    yield* this.#warmUp();
    let inTurn = -1;
    let stop = this.#stopBeforeRound();
    while (!stop) {
      let choice: { task: number; reason: SearchReason };
      const gradients = await this.#gradients();
      if (this.#options.strategy === "round-robin") {
        inTurn = this.#nextAlive(inTurn);
        choice = { task: inTurn, reason: { type: "next-in-turn" } };
      } else {
        choice = await this.#steepest(gradients);
      }
      yield this.#search(choice.task, this.trialsPerRound, choice.reason);
      yield* this.#foresee(choice.task, gradients);
      this.#similarity.removeIfUnlike(choice.task, this.#bestCosts, this.rounds, this.#options.beta);
      stop = this.#stopWithoutImprovement() ?? this.#stopBeforeRound();
    }
    for (;;) {
      yield { type: "stop", reason: stop };
    }
  }

  *#warmUp(): Generator<Action> {
    for (const [task, state] of this.#states.entries()) {
      if (state.rounds === 0) {
        yield this.#search(task, this.trialsPerRound, { type: "warm-up" });
      }
    }
    this.#bestScore = this.#score;
    this.#bestScoreTrials = this.#trials;
    for (const [task, cost] of this.#bestCosts.entries()) {
      if (cost === UNMEASURED_COST && this.#options.giveUpUnmeasured) {
        this.#dead.add(task);
      }
    }
  }

  async *#foresee(after: number, gradients: readonly number[]): AsyncGenerator<Action> {
    const sibling = this.#sibling(after, gradients);
    if (!sibling) {
      return;
    }
    const { family, among, tied } = sibling;
    const task = tied ? (among[await this.#options.draw(among.length)] ?? after) : sibling.task;
    const reason: SearchReason = { type: "foresee", family, after, among, drawn: tied, gradients };
    yield this.#search(task, this.#options.foreseeTrials, reason);
  }

  /** The sibling to foresee after a round on a task, `tied` if a draw decides; null if there is none. */
  #sibling(after: number, gradients: readonly number[]) {
    for (const [family, members] of this.#options.families ?? []) {
      const among = members.includes(after) ? members.filter((id) => id !== after && !this.#dead.has(id)) : [];
      if (among.length > 0) {
        const { index, tied } = mostNegative(among.map((id) => gradients[id] ?? 0));
        return { family, among, tied, task: among[index] ?? after };
      }
    }
    return null;
  }

  #search(task: number, programs: number, reason: SearchReason): SearchAction {
    return { type: "search", task, programs, reason };
  }

  async #steepest(gradients: readonly number[]): Promise<{ task: number; reason: SearchReason }> {
    const { index, tied } = mostNegative(gradients);
    if (!tied) {
      return { task: index, reason: { type: "steepest", gradients } };
    }
    const among = [...gradients.keys()];
    return { task: await this.#options.draw(among.length), reason: { type: "drawn", among, gradients } };
  }

  async #rescore(): Promise<void> {
    const [score] = await scoresOf(this.#options.scoreAll, [this.#bestCosts]);
    this.#score = score ?? Number.NaN;
  }

  /** Of every task, 0 for dead ones; as if `unimproved`, a search still going on, were done and had improved nothing. */
  async #gradients(unimproved: SearchAction | null = null): Promise<number[]> {
    // Foresee rounds choose by gradient too, so with families round-robin needs them as well.
    if (this.#options.strategy === "round-robin" && !this.#options.families) {
      return [];
    }
    const alive = [...this.#states.keys()].filter((id) => !this.#dead.has(id));
    const vectors = alive.map((id) => steppedCosts(this.#bestCosts, id));
    const steppedScores = new Map(
      (await scoresOf(this.#options.scoreAll, vectors)).map((score, i) => [alive[i], score]),
    );
    return this.#states.map((state, id) => {
      const steppedScore = steppedScores.get(id);
      if (steppedScore === undefined) {
        return 0;
      }
      const best = this.#bestCost(id);
      const going = id === unimproved?.task;
      const progress = {
        best,
        rounds: state.rounds + (going && unimproved.reason.type !== "foresee" ? 1 : 0),
        history: going ? [...state.history, best] : state.history,
        flops: this.#tasks[id]?.flops ?? Number.NaN,
        groupThroughput: this.#similarity.bestThroughput(id, this.#bestCosts),
      };
      return gradientOf(id, progress, this.#score, steppedScore, this.#options);
    });
  }

  #nextAlive(from: number): number {
    let task = from;
    do {
      task = (task + 1) % this.#tasks.length;
    } while (this.#dead.has(task));
    return task;
  }

  #stopBeforeRound(): StopReason | null {
    if (this.#trials >= this.#options.trials) {
      return { type: "trials-spent", trials: this.#trials };
    }
    return this.#dead.size === this.#tasks.length ? { type: "all-tasks-dead" } : null;
  }

  #stopWithoutImprovement(): StopReason | null {
    if (this.#score < this.#bestScore) {
      this.#bestScore = this.#score;
      this.#bestScoreTrials = this.#trials;
      return null;
    }
    const unimproved = this.#trials - this.#bestScoreTrials;
    const stop =
      this.#options.earlyStopping !== null &&
      unimproved >= this.#options.earlyStopping &&
      this.#bestCosts.every((cost) => cost < MEASURED_BELOW);
    return stop ? { type: "no-improvement", trials: unimproved } : null;
  }

  /** Takes over an earlier run's records the way TVM does, whose round counts are estimates too. */
  #restore(): void {
    const counts = this.#states.map((state) => ({ measured: state.rounds, best: state.bestRound }));
    for (const { task, cost } of this.#options.measuredBefore) {
      const count = counts[task];
      if (!count) {
        throw new InvalidRequestError(`A record names task ${task}; the tasks are 0 to ${this.#tasks.length - 1}.`);
      }
      count.measured += 1;
      if (cost !== null && cost < this.#bestCost(task)) {
        this.#bestCosts[task] = cost;
        count.best = count.measured;
      }
    }
    for (const [id, { measured, best }] of counts.entries()) {
      if (measured - best > (this.#options.taskEarlyStopping ?? Number.POSITIVE_INFINITY)) {
        this.#dead.add(id);
      }
      const state = this.#state(id);
      state.rounds = Math.trunc(measured / this.trialsPerRound + 0.5);
      state.bestRound = Math.trunc(best / this.trialsPerRound + 0.5);
      state.history.push(this.#bestCost(id));
    }
  }

  #state(task: number): TaskState {
    const state = this.#states[task];
    if (!state) {
      throw new Error(`There is no task ${task}.`);
    }
    return state;
  }

  #bestCost(task: number): number {
    return this.#bestCosts[task] ?? UNMEASURED_COST;
  }
}

const NOTHING_DONE: StartingPoint = { rounds: 0, bestRound: 0, bestCost: UNMEASURED_COST, history: [], dead: false };

/** The first of the most negative; tied if none differs, where both references draw among all. */
function mostNegative(gradients: readonly number[]): { readonly index: number; readonly tied: boolean } {
  const least = Math.min(...gradients);
  return { index: gradients.indexOf(least), tied: least === Math.max(...gradients) };
}

function measuredOrNull(cost: number): number | null {
  return cost === UNMEASURED_COST ? null : cost;
}

function checkOptions(options: Required<SchedulerOptions>): void {
  const count = options.tasks.length;
  if (count === 0) {
    throw new InvalidRequestError("There is no task to tune. Expected at least one.");
  }
  if (Math.floor(options.trials / count) < 1) {
    throw new InvalidRequestError(
      `${options.trials} trials are too few: there are ${count} tasks, and each is measured at least once. ` +
        `Ask for ${count} trials or more.`,
    );
  }
  requireAtLeast("trials per round", options.trialsPerRound, 1);
  requireAtLeast("programs of a foresee round", options.foreseeTrials, 1);
  requireAtLeast("backward window", options.backwardWindow, 1);
  requireAtLeast("early stopping", options.earlyStopping ?? 0, 0);
  requireAtLeast("early stopping per task", options.taskEarlyStopping ?? 0, 0);
  if (!(options.alpha >= 0 && options.alpha <= 1)) {
    throw new InvalidRequestError(`alpha is ${options.alpha}. Expected a number from 0 to 1.`);
  }
  if (!(options.beta > 0)) {
    throw new InvalidRequestError(`beta is ${options.beta}. Expected a number above 0.`);
  }
  if (!STRATEGIES.includes(options.strategy)) {
    throw new InvalidRequestError(
      `Unknown strategy: ${options.strategy}. The strategies are ${STRATEGIES.join(", ")}.`,
    );
  }
}

function requireAtLeast(what: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least) {
    throw new InvalidRequestError(`${what} is ${value}. Expected a whole number of at least ${least}.`);
  }
}
