import { InvalidRequestError } from "../../errors.js";
import { checkBudget, requireAtLeast } from "../budget.js";
import type { Families } from "../families.js";
import { type ScoreAll, scoreAllBy, weightedSum } from "../objective.js";
import type { Draw } from "../random.js";
import { STRATEGIES, type Strategy } from "../search-policy.js";
import { measuredOrNull, type Task, UNMEASURED_COST } from "../task.js";
import { slopeOf } from "./gradient.js";
import { type Candidate, type Gradients, ObjectiveGradients, WeightedSumGradients } from "./gradients.js";
import { SimilarityGroups } from "./similarity.js";
import { TaskOrder } from "./task-order.js";

/** Above this cost (seconds) a task counts as not measured when the whole job may stop early; TVM's number. */
const MEASURED_BELOW = 1e9;

export interface SchedulerOptions {
  readonly tasks: readonly Task[];
  /** Null: no families, and so no foresee rounds; the decisions are TVM's own. */
  readonly families: Families | null;
  /**
   * The objective; null: the weighted sum, the latency of the whole network, for which a decision costs O(log n) for n
   * tasks. Any other is asked for n scores per decision.
   */
  readonly scoreAll?: ScoreAll | null;
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
  /** Programs of a foresee round; 0: there are none. */
  readonly foreseeTrials?: number;
  /**
   * Search a task no further if no program ran of it in warm-up, as TVM does since 0.18. FamilySeer's own scheduler goes
   * on with it, and, as its cost counts as 1e10 seconds, hardly with anything else.
   */
  readonly giveUpUnmeasured?: boolean;
  /** Programs of an earlier run, oldest first, cost in seconds or null for one that failed. */
  readonly measuredBefore?: readonly { readonly task: number; readonly cost: number | null }[];
  /** Programs of an earlier run that `trials` counts, too. */
  readonly trialsBefore?: number;
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
  scoreAll: null,
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
  trialsBefore: 0,
  startAt: [],
} as const satisfies Partial<SchedulerOptions>;

/** Why a task was chosen. `gradient` is the task's when the round (or the main round before it) was chosen. */
export type SearchReason =
  | { readonly type: "warm-up" }
  | { readonly type: "next-in-turn" }
  | { readonly type: "steepest"; readonly gradient: number }
  /** All gradients were equal; `among` so many tasks. */
  | { readonly type: "drawn"; readonly among: number; readonly gradient: number }
  /** `among` so many siblings that are not dead; drawn where their gradients were all equal. */
  | {
      readonly type: "foresee";
      readonly family: string;
      readonly after: number;
      readonly among: number;
      readonly drawn: boolean;
      readonly gradient: number;
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

/**
 * Why a task is searched no further: nothing is left to measure, too many programs brought nothing, it is as fast as
 * the machine can be, or none of its programs ever ran.
 */
export type DeathReason = "exhausted" | "unimproved" | "at-the-roof" | "never-ran";

/** What a round did to the state. */
export interface RoundOutcome {
  /** Best cost of the task in seconds before and after; null while no program ran. */
  readonly before: number | null;
  readonly after: number | null;
  /** Set where the round left the task dead. */
  readonly died: DeathReason | null;
  /** The objective after the round; null while some task has no program that ran. */
  readonly score: number | null;
  /** Programs measured in the job so far. */
  readonly trials: number;
}

/** The task with the most negative gradient; `tied` has all that were compared if their gradients are all equal. */
interface Steepest extends Candidate {
  readonly tied: readonly number[] | null;
}

/** The sibling to foresee after a main round. */
interface Sibling extends Steepest {
  readonly family: string;
  readonly among: number;
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
  readonly #order: TaskOrder;
  /** How many of each family's tasks are not dead. */
  readonly #alive = new Map<string, number>();
  readonly #gradients: Gradients;
  /** Tasks whose slope may have changed since `#gradients` got it. */
  readonly #changed: Set<number>;
  /** Where to look for the next task alive after each. */
  readonly #following: number[];
  readonly #actions: AsyncGenerator<Action, never>;
  #bestCosts: number[];
  #score = Number.NaN;
  #trials = 0;
  #bestScore = Number.NaN;
  #bestScoreTrials = 0;
  /** Tasks whose cost is not below {@link MEASURED_BELOW}. */
  #unmeasured: number;
  #sibling: Sibling | null = null;
  #pending: SearchAction | null = null;

  /** @throws InvalidRequestError for options that no job can run with. */
  constructor(options: SchedulerOptions) {
    this.#options = { ...SCHEDULER_DEFAULTS, ...options };
    this.#tasks = options.tasks;
    this.#trials = this.#options.trialsBefore;
    checkOptions(this.#options);
    this.trialsPerRound = Math.min(options.trialsPerRound, Math.floor(options.trials / options.tasks.length));
    const startAt = options.tasks.map((_, id) => this.#options.startAt[id] ?? NOTHING_DONE);
    this.#states = startAt.map(({ rounds, bestRound, history }) => ({ rounds, bestRound, history: [...history] }));
    this.#bestCosts = startAt.map(({ bestCost }) => bestCost);
    this.#dead = new Set([...startAt.keys()].filter((id) => startAt[id]?.dead));
    if (this.#options.measuredBefore.length > 0) {
      this.#restore();
    }
    this.#similarity = new SimilarityGroups(options.tasks, this.#bestCosts, this.rounds);
    this.#order = new TaskOrder(options.tasks.length, this.#options.families);
    for (const [family, members] of this.#options.families ?? []) {
      this.#alive.set(family, members.filter((id) => !this.#dead.has(id)).length);
    }
    this.#gradients = this.#makeGradients();
    this.#changed = new Set(this.#states.keys());
    this.#following = options.tasks.map((_, id) => (id + 1) % options.tasks.length);
    this.#unmeasured = this.#bestCosts.filter((cost) => !(cost < MEASURED_BELOW)).length;
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
      this.#similarity.countRound(task);
    }
    for (const cost of costs) {
      if (cost !== null && cost < this.#bestCost(task)) {
        state.bestRound = state.rounds;
        this.#bestCosts[task] = cost;
      }
    }
    if (this.#bestCost(task) < before) {
      this.#tellCost(task, before);
    }
    const unimproved = (state.rounds - state.bestRound) * programs;
    const exhausted = costs.length === 0;
    const stopped = unimproved > (this.#options.taskEarlyStopping ?? Number.POSITIVE_INFINITY);
    const died = exhausted ? "exhausted" : stopped ? "unimproved" : null;
    if (died !== null) {
      this.#markDead(task);
    }
    this.#changed.add(task);
    state.history.push(this.#bestCost(task));
    this.#trials += costs.length;
    await this.#rescore();
    return {
      before: measuredOrNull(before),
      after: measuredOrNull(this.#bestCost(task)),
      died,
      score: this.#unmeasured > 0 ? null : this.#score,
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
      const next = this.#nextUnsearched(pending.task + 1);
      return next === null ? null : { task: next, programs: trialsPerRound };
    }
    if (pending.reason.type === "next-in-turn") {
      return { task: this.#nextAlive(pending.task), programs: trialsPerRound };
    }
    const sibling = this.#sibling;
    if (pending.reason.type !== "foresee" && sibling) {
      const drawn = sibling.tied && sibling.among > 1;
      return drawn ? null : { task: sibling.task, programs: this.#options.foreseeTrials };
    }
    if (this.#trials + pending.programs >= this.#options.trials) {
      return null;
    }
    const steepest = await this.#steepest(pending);
    return !steepest || steepest.tied ? null : { task: steepest.task, programs: trialsPerRound };
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
    let task = this.#tasks.length - 1;
    let stop = this.#stopBeforeRound();
    while (!stop) {
      const choice = await this.#chooseAfter(task);
      task = choice.task;
      this.#sibling = await this.#steepestSibling(task);
      yield this.#search(task, this.trialsPerRound, choice.reason);
      if (this.#sibling) {
        yield await this.#foresee(task, this.#sibling);
      }
      this.#note(this.#similarity.removeIfUnlike(task, this.#options.beta));
      stop = this.#stopWithoutImprovement() ?? this.#stopBeforeRound();
    }
    for (;;) {
      yield { type: "stop", reason: stop };
    }
  }

  *#warmUp(): Generator<Action> {
    for (let task = this.#nextUnsearched(0); task !== null; task = this.#nextUnsearched(task + 1)) {
      yield this.#search(task, this.trialsPerRound, { type: "warm-up" });
    }
    this.#bestScore = this.#score;
    this.#bestScoreTrials = this.#trials;
    for (const [task, cost] of this.#bestCosts.entries()) {
      if (cost === UNMEASURED_COST && this.#options.giveUpUnmeasured) {
        this.#markDead(task);
      }
    }
  }

  async #chooseAfter(last: number): Promise<{ task: number; reason: SearchReason }> {
    if (this.#options.strategy === "round-robin") {
      return { task: this.#nextAlive(last), reason: { type: "next-in-turn" } };
    }
    const steepest = await this.#steepest();
    if (!steepest) {
      throw new Error("No task is left to search.");
    }
    const { task, tied, gradient } = steepest;
    if (!tied) {
      return { task, reason: { type: "steepest", gradient } };
    }
    // Both references draw among all tasks here, dead ones too.
    const among = this.#tasks.length;
    return { task: await this.#options.draw(among), reason: { type: "drawn", among, gradient } };
  }

  async #foresee(after: number, { family, task, gradient, among, tied }: Sibling): Promise<SearchAction> {
    const drawn = tied !== null;
    const sibling = drawn ? (tied[await this.#options.draw(tied.length)] ?? task) : task;
    const reason: SearchReason = { type: "foresee", family, after, among, drawn, gradient };
    return this.#search(sibling, this.#options.foreseeTrials, reason);
  }

  #search(task: number, programs: number, reason: SearchReason): SearchAction {
    return { type: "search", task, programs, reason };
  }

  /** Of all tasks; as if `unimproved`, a search still going on, were done and had improved nothing. */
  async #steepest(unimproved: SearchAction | null = null): Promise<Steepest | null> {
    this.#tellSlopes();
    const supposed = unimproved
      ? { task: unimproved.task, slope: this.#slope(unimproved.task, unimproved) }
      : undefined;
    const candidates = await this.#gradients.candidates([this.#order.all], supposed);
    const steepest = steepestOf(candidates, this.#tasks.length - this.#dead.size);
    // To the references a dead task's gradient is 0.
    return steepest && this.#dead.size > 0 && steepest.gradient < 0 ? { ...steepest, tied: null } : steepest;
  }

  /** The sibling to foresee after a round on a task, by the gradients before the round; null if there is none. */
  async #steepestSibling(after: number): Promise<Sibling | null> {
    const family = this.#options.foreseeTrials > 0 ? this.#order.family(after) : null;
    const among = family === null ? 0 : (this.#alive.get(family) ?? 0) - (this.#dead.has(after) ? 0 : 1);
    if (family === null || among === 0) {
      return null;
    }
    this.#tellSlopes();
    const steepest = steepestOf(await this.#gradients.candidates(this.#order.siblings(after)), among);
    return steepest && { ...steepest, family, among };
  }

  #makeGradients(): Gradients {
    const { scoreAll } = this.#options;
    const weights = this.#tasks.map((task) => task.weight);
    return scoreAll === null && weights.every((weight) => weight >= 0 && weight < Number.POSITIVE_INFINITY)
      ? new WeightedSumGradients(weights, this.#bestCosts, this.#order)
      : new ObjectiveGradients(scoreAll ?? scoreAllBy(weightedSum(this.#tasks)), this.#bestCosts, this.#order);
  }

  async #rescore(): Promise<void> {
    this.#score = await this.#gradients.rescore();
  }

  /** Passes on that a task's best cost, `before` until now, has fallen. */
  #tellCost(task: number, before: number): void {
    const cost = this.#bestCost(task);
    this.#unmeasured -= cost < MEASURED_BELOW && !(before < MEASURED_BELOW) ? 1 : 0;
    this.#gradients.setCost(task, cost);
    this.#note(this.#similarity.setCost(task, cost));
  }

  #tellSlopes(): void {
    for (const task of this.#changed) {
      this.#gradients.setSlope(task, this.#slope(task));
    }
    this.#changed.clear();
  }

  #note(changed: Iterable<number>): void {
    for (const task of changed) {
      this.#changed.add(task);
    }
  }

  /** Null for a dead task. */
  #slope(task: number, unimproved: SearchAction | null = null): number | null {
    if (this.#dead.has(task)) {
      return null;
    }
    const { rounds, history } = this.#state(task);
    const best = this.#bestCost(task);
    const progress = {
      best,
      rounds: rounds + (unimproved && unimproved.reason.type !== "foresee" ? 1 : 0),
      history: unimproved ? [...history, best] : history,
      flops: this.#tasks[task]?.flops ?? Number.NaN,
      groupThroughput: this.#similarity.bestThroughput(task),
    };
    return slopeOf(progress, this.#options);
  }

  #markDead(task: number): void {
    const family = this.#order.family(task);
    if (family !== null && !this.#dead.has(task)) {
      this.#alive.set(family, (this.#alive.get(family) ?? 0) - 1);
    }
    this.#dead.add(task);
    this.#changed.add(task);
  }

  #nextUnsearched(from: number): number | null {
    for (let task = from; task < this.#states.length; task += 1) {
      if (this.#states[task]?.rounds === 0) {
        return task;
      }
    }
    return null;
  }

  #nextAlive(from: number): number {
    let task = this.#following[from] ?? 0;
    while (this.#dead.has(task)) {
      task = this.#following[task] ?? 0;
    }
    this.#following[from] = task;
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
      this.#options.earlyStopping !== null && unimproved >= this.#options.earlyStopping && this.#unmeasured === 0;
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

function checkOptions(options: Required<SchedulerOptions>): void {
  checkBudget(options);
  requireAtLeast("backward window", options.backwardWindow, 1);
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
