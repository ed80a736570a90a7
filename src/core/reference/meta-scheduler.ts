import { InvalidRequestError } from "../../errors.js";
import { requireAtLeast } from "../budget.js";
import type {
  Action,
  Decider,
  MeasuredProgram,
  PastProgram,
  RoundOutcome,
  SearchAction,
  SearchReason,
  SearchTarget,
  StopReason,
} from "../decider.js";
import { type Objective, weightedSum } from "../objective.js";
import type { Draw } from "../random.js";
import type { Strategy } from "../search-policy.js";
import { measuredOrNull, type Task, UNMEASURED_COST } from "../task.js";
import { DeadTasks } from "./dead-tasks.js";
import { EarlyStopping } from "./early-stopping.js";
import { SCHEDULER_DEFAULTS } from "./options.js";

export interface MetaSchedulerOptions {
  readonly tasks: readonly Task[];
  /** Programs to measure in the whole job. A round is never cut short, so a job may end a round above it. */
  readonly trials: number;
  /** Programs of a task at most; null: as many as of the whole job. */
  readonly trialsPerTask?: number | null;
  readonly trialsPerRound: number;
  readonly draw: Draw;
  readonly strategy?: Strategy;
  /** Weight of the past in a gradient, 0 to 1. */
  readonly alpha?: number;
  /** Rounds that a gradient looks back. */
  readonly backwardWindow?: number;
  /** Stop the job after this many programs without a better objective; null: never, as TVM. */
  readonly earlyStopping?: number | null;
  /** Stop a task after this many programs without a better program; null: never, as TVM. */
  readonly taskEarlyStopping?: number | null;
  /** Programs of an earlier run, oldest first. They decide nothing: TVM's scheduler begins anew beside a database. */
  readonly measuredBefore?: readonly PastProgram[];
  /** Programs of an earlier run that `trials` counts, too. */
  readonly trialsBefore?: number;
}

type CompleteOptions = Required<MetaSchedulerOptions> & { readonly trialsPerTask: number };

const MS_PER_SECOND = 1000;
/** TVM's mark of a program that failed. */
const FAILED_MS = 1e9;
/** What stands for the gradient of a task that no program ran of, so that it is chosen last. */
const NO_GRADIENT = -1e9;

interface TaskState {
  /** Best time in milliseconds after each round that measured a program. */
  readonly history: number[];
  /** Of this job's programs, not of an earlier one's. */
  bestMs: number;
  measured: number;
  /** Programs since the best. */
  unimproved: number;
}

interface Choice {
  readonly task: number;
  readonly reason: SearchReason;
}

/** How much of the objective a further round on a task is expected to save, in milliseconds; more is better. */
interface Gradient {
  readonly task: number;
  readonly gradient: number;
}

/**
 * Decides as the schedulers of MetaSchedule in TVM 0.27 do, GradientBased and RoundRobin (src/s_tir/meta_schedule/task_scheduler),
 * where a round is measured before the next task is chosen, as with its local runner.
 *
 * By gradient every task has a round first; then it is the task with the largest `alpha` times what its last `backwardWindow`
 * rounds won in each, plus `1 - alpha` times its best time over its rounds, all times its weight. There is no likeness of tasks
 * and no objective but the weighted sum.
 */
export class MetaScheduler implements Decider {
  readonly trialsPerRound: number;
  readonly #options: CompleteOptions;
  readonly #states: readonly TaskState[];
  readonly #bestCosts: number[];
  readonly #dead: DeadTasks;
  readonly #earlyStopping: EarlyStopping;
  readonly #objective: Objective;
  #rounds = 0;
  /** The last that had its turn. */
  #turn: number;
  #trials: number;
  #pending: SearchAction | null = null;
  #stop: StopReason | null = null;

  /** @throws InvalidRequestError for options that no job can run with. */
  constructor(given: MetaSchedulerOptions) {
    const options = completeOptions(given);
    const { tasks, measuredBefore, trialsBefore } = options;
    this.#options = options;
    this.trialsPerRound = options.trialsPerRound;
    this.#states = tasks.map(() => ({ history: [], bestMs: FAILED_MS, measured: 0, unimproved: 0 }));
    this.#bestCosts = tasks.map(() => UNMEASURED_COST);
    for (const { task, cost } of measuredBefore) {
      this.#bestCosts[task] = Math.min(this.#bestCost(task), cost ?? UNMEASURED_COST);
    }
    this.#dead = new DeadTasks(tasks.length, null, { ...options, giveUpUnmeasured: false });
    this.#earlyStopping = new EarlyStopping(options.earlyStopping);
    this.#objective = weightedSum(tasks);
    this.#turn = tasks.length - 1;
    this.#trials = trialsBefore;
  }

  async next(): Promise<Action> {
    while (!this.#pending && !this.#stop) {
      const { trials } = this.#options;
      const choice = this.#trials < trials ? await this.#choose() : null;
      if (!choice) {
        this.#stop =
          this.#trials < trials ? { type: "all-tasks-dead" } : { type: "trials-spent", trials: this.#trials };
        break;
      }
      const programs = this.#programsLeft(choice.task);
      if (programs > 0) {
        this.#pending = { type: "search", programs, ...choice };
      } else {
        // TVM finds out when it has chosen the task, which until then counts among the others.
        this.#dead.add(choice.task);
      }
    }
    return this.#pending ?? { type: "stop", reason: this.#stop ?? { type: "all-tasks-dead" } };
  }

  /** Where a program came from, and how long its round took, decides nothing here. */
  async observe(measured: readonly Pick<MeasuredProgram, "cost">[]): Promise<RoundOutcome> {
    const action = this.#pending;
    if (!action) {
      throw new Error("observe() was called with no search pending; call next() first.");
    }
    this.#pending = null;
    const { task } = action;
    const before = this.#bestCost(task);
    const state = this.#state(task);
    for (const { cost } of measured) {
      const ms = cost === null ? FAILED_MS : cost * MS_PER_SECOND;
      state.measured += 1;
      state.unimproved = ms < state.bestMs ? 0 : state.unimproved + 1;
      state.bestMs = Math.min(state.bestMs, ms);
      this.#bestCosts[task] = Math.min(this.#bestCost(task), cost ?? UNMEASURED_COST);
    }
    if (measured.length > 0) {
      state.history.push(state.bestMs);
    }
    const died = this.#dead.afterRound(task, measured.length, state.unimproved);
    this.#trials += measured.length;
    this.#rounds += 1;
    this.#stop = this.#stopEarly();
    return {
      before: measuredOrNull(before),
      after: measuredOrNull(this.#bestCost(task)),
      died,
      score: this.#allMeasured ? this.score : null,
      trials: this.#trials,
    };
  }

  /** What it will be if the pending search improves nothing. */
  async likelyNext(among: (task: number) => boolean = () => true): Promise<SearchTarget | null> {
    const pending = this.#pending;
    if (!pending || this.#trials + pending.programs >= this.#options.trials) {
      return null;
    }
    const task = this.#likelyAfter(pending.task);
    const programs = task === null ? 0 : this.#programsLeft(task) - (task === pending.task ? pending.programs : 0);
    return task !== null && programs > 0 && among(task) ? { task, programs } : null;
  }

  get trials(): number {
    return this.#trials;
  }

  get score(): number {
    return this.#objective(this.#bestCosts);
  }

  get bestCosts(): readonly number[] {
    return [...this.#bestCosts];
  }

  /** Tasks that are not searched any more, in ascending order. */
  get deadTasks(): readonly number[] {
    return this.#dead.all;
  }

  /** Rounds of each task that measured a program. */
  get rounds(): readonly number[] {
    return this.#states.map(({ history }) => history.length);
  }

  /** Null where all tasks are dead. */
  async #choose(): Promise<Choice | null> {
    const byGradient = this.#options.strategy === "gradient";
    if (byGradient && this.#rounds < this.#options.tasks.length) {
      this.#turn = this.#following;
      return { task: this.#turn, reason: { type: "warm-up" } };
    }
    if (this.#dead.alive === 0) {
      return null;
    }
    if (!byGradient) {
      this.#turn = this.#dead.nextAlive(this.#turn);
      return { task: this.#turn, reason: { type: "next-in-turn" } };
    }
    const gradients = this.#gradients();
    const steepest = steepestOf(gradients);
    if (steepest) {
      return { task: steepest.task, reason: { type: "steepest", gradient: told(steepest.gradient) } };
    }
    const { length: among } = gradients;
    const { task, gradient } = gradients[await this.#options.draw(among)] ?? missing();
    return { task, reason: { type: "drawn", among, gradient: told(gradient) } };
  }

  /** If a task's pending round improves nothing; null where that would be drawn. */
  #likelyAfter(pending: number): number | null {
    if (this.#options.strategy === "round-robin") {
      return this.#dead.nextAlive(pending);
    }
    const warmsUp = this.#rounds + 1 < this.#options.tasks.length;
    return warmsUp ? this.#following : (steepestOf(this.#gradients(pending))?.task ?? null);
  }

  /** Of the tasks alive, in ascending order; `unimproved` had one more round, which improved nothing. */
  #gradients(unimproved: number | null = null): Gradient[] {
    const alive = [...this.#states.keys()].filter((task) => !this.#dead.has(task));
    return alive.map((task) => {
      const { history, bestMs } = this.#state(task);
      return { task, gradient: this.#gradient(task, task === unimproved ? [...history, bestMs] : history) };
    });
  }

  #gradient(task: number, history: readonly number[]): number {
    const { alpha, backwardWindow, tasks } = this.#options;
    const rounds = history.length;
    const best = history[rounds - 1];
    if (best === undefined || best >= FAILED_MS) {
      return NO_GRADIENT;
    }
    const before = history[rounds - 1 - backwardWindow];
    const won = before === undefined ? 0 : (before - best) / backwardWindow;
    return (alpha * won + (1 - alpha) * (best / rounds)) * (tasks[task]?.weight ?? 0);
  }

  /** Programs that a round of a task may have now. */
  #programsLeft(task: number): number {
    const { trialsPerTask, trialsPerRound } = this.#options;
    return Math.min(trialsPerRound, Math.max(0, trialsPerTask - this.#state(task).measured));
  }

  #stopEarly(): StopReason | null {
    const { length } = this.#options.tasks;
    if (this.#rounds === length) {
      this.#earlyStopping.begin(this.score, this.#trials);
    }
    return this.#rounds > length ? this.#earlyStopping.afterRound(this.score, this.#trials, this.#allMeasured) : null;
  }

  get #following(): number {
    return (this.#turn + 1) % this.#options.tasks.length;
  }

  get #allMeasured(): boolean {
    return !this.#bestCosts.includes(UNMEASURED_COST);
  }

  #bestCost(task: number): number {
    return this.#bestCosts[task] ?? UNMEASURED_COST;
  }

  #state(task: number): TaskState {
    return this.#states[task] ?? missing();
  }
}

/** @throws InvalidRequestError for options that no job can run with. */
function completeOptions(given: MetaSchedulerOptions): CompleteOptions {
  const { strategy, alpha, backwardWindow } = SCHEDULER_DEFAULTS;
  const never = { earlyStopping: null, taskEarlyStopping: null };
  const defaults = { strategy, alpha, backwardWindow, ...never, measuredBefore: [], trialsBefore: 0 };
  const { trialsPerTask, ...rest } = given;
  const options = {
    ...defaults,
    ...rest,
    trialsPerTask: trialsPerTask ?? given.trials,
  };
  if (options.tasks.length === 0) {
    throw new InvalidRequestError("There is no task to tune. Expected at least one.");
  }
  requireAtLeast("trials", options.trials, 1);
  requireAtLeast("trials per task", trialsPerTask ?? 1, 1);
  requireAtLeast("trials per round", options.trialsPerRound, 1);
  requireAtLeast("backward window", options.backwardWindow, 1);
  if (!(options.alpha >= 0 && options.alpha <= 1)) {
    throw new InvalidRequestError(`alpha is ${options.alpha}. Expected a number from 0 to 1.`);
  }
  return options;
}

/** The first of the largest; null if none differs, where TVM draws. */
function steepestOf(gradients: readonly Gradient[]): Gradient | null {
  const all = gradients.map(({ gradient }) => gradient);
  const [most, least] = [Math.max(...all), Math.min(...all)];
  return most === least ? null : (gradients.find(({ gradient }) => gradient === most) ?? null);
}

/** As Ansor's gradients are told: in seconds, the most negative is worth most. */
function told(gradient: number): number {
  return gradient === NO_GRADIENT ? 0 : -gradient / MS_PER_SECOND;
}

function missing(): never {
  throw new Error("There is no such task in this job.");
}
