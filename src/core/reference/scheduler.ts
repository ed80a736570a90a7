import type {
  Action,
  Decider,
  MeasuredProgram,
  RoundOutcome,
  SearchAction,
  SearchReason,
  SearchTarget,
  StopReason,
} from "../decider.js";
import { measuredOrNull } from "../task.js";
import { DeadTasks } from "./dead-tasks.js";
import { EarlyStopping } from "./early-stopping.js";
import { Foresee } from "./foresee.js";
import { type CompleteOptions, completeOptions, type SchedulerOptions } from "./options.js";
import { NOTHING_DONE, Progress } from "./progress.js";
import { SteepestTask } from "./steepest.js";
import { TaskOrder } from "./task-order.js";

/** Decides which task to search next: TVM 0.18's task scheduler without families, FamilySeer's with them. */
export class Scheduler implements Decider {
  readonly trialsPerRound: number;
  readonly #options: CompleteOptions;
  readonly #progress: Progress;
  readonly #dead: DeadTasks;
  readonly #steepest: SteepestTask;
  readonly #foresee: Foresee;
  readonly #earlyStopping: EarlyStopping;
  readonly #actions: AsyncGenerator<Action, never>;
  #score = Number.NaN;
  #trials: number;
  #pending: SearchAction | null = null;

  /** @throws InvalidRequestError for options that no job can run with. */
  constructor(given: SchedulerOptions) {
    const options = completeOptions(given);
    const { tasks, families, trials, measuredBefore } = options;
    this.#options = options;
    this.#trials = options.trialsBefore;
    this.trialsPerRound = Math.min(options.trialsPerRound, Math.floor(trials / tasks.length));
    const startAt = tasks.map((_, id) => options.startAt[id] ?? NOTHING_DONE);
    this.#progress = new Progress(startAt);
    this.#dead = new DeadTasks(tasks.length, families, options);
    for (const [id, { dead }] of startAt.entries()) {
      if (dead) {
        this.#dead.add(id);
      }
    }
    if (measuredBefore.length > 0) {
      for (const [id, unimproved] of this.#progress.restore(measuredBefore, this.trialsPerRound).entries()) {
        this.#dead.afterRestoring(id, unimproved);
      }
    }
    const order = new TaskOrder(tasks.length, families);
    this.#steepest = new SteepestTask(options, order, this.#progress, this.#dead);
    this.#foresee = new Foresee(options.foreseeTrials, options.draw, order, this.#dead, this.#steepest);
    this.#earlyStopping = new EarlyStopping(options.earlyStopping);
    this.#actions = this.#decide();
  }

  async next(): Promise<Action> {
    if (this.#pending) {
      return this.#pending;
    }
    const action = (await this.#actions.next()).value;
    this.#pending = action.type === "search" ? action : null;
    return action;
  }

  /** Where a program came from, and how long its round took, decides nothing here. */
  async observe(measured: readonly Pick<MeasuredProgram, "cost">[]): Promise<RoundOutcome> {
    const action = this.#pending;
    if (!action) {
      throw new Error("observe() was called with no search pending; call next() first.");
    }
    this.#pending = null;
    const { task, programs } = action;
    const before = this.#progress.bestCost(task);
    // A foresee round moves a sibling on without counting as one of its rounds (FamilySeer, section 4.2).
    const counts = action.reason.type !== "foresee";
    this.#progress.observe(task, measured, counts);
    const { rounds, bestRound } = this.#progress.of(task);
    const died = this.#dead.afterRound(task, measured.length, (rounds - bestRound) * programs);
    this.#steepest.observe(task, before, counts);
    this.#trials += measured.length;
    this.#score = await this.#steepest.rescore();
    return {
      before: measuredOrNull(before),
      after: measuredOrNull(this.#progress.bestCost(task)),
      died,
      score: this.#progress.allMeasured ? this.#score : null,
      trials: this.#trials,
    };
  }

  /** What it will be if the pending search improves nothing. */
  async likelyNext(among: (task: number) => boolean = () => true): Promise<SearchTarget | null> {
    const next = this.#pending && (await this.#likelyAfter(this.#pending));
    return next && among(next.task) ? next : null;
  }

  get trials(): number {
    return this.#trials;
  }

  get score(): number {
    return this.#score;
  }

  get bestCosts(): readonly number[] {
    return this.#progress.bestCosts;
  }

  /** The best score since warm-up, and the programs measured when it was reached; NaN and 0 before. */
  get bestScore(): { readonly score: number; readonly trials: number } {
    return this.#earlyStopping.best;
  }

  /** Rounds given to each task, foresee rounds not counted. */
  get rounds(): readonly number[] {
    return this.#progress.rounds;
  }

  /** The round in which each task's best program was found. */
  get bestRounds(): readonly number[] {
    return this.#progress.bestRounds;
  }

  /** Best cost of each task after each of its rounds, foresee rounds included, in seconds. */
  get histories(): readonly (readonly number[])[] {
    return this.#progress.histories;
  }

  /** Tasks whose similarity group was found not to be like them, in ascending order. */
  get unlikeTasks(): readonly number[] {
    return this.#steepest.unlike;
  }

  /** Tasks that are not searched any more, in ascending order. */
  get deadTasks(): readonly number[] {
    return this.#dead.all;
  }

  async *#decide(): AsyncGenerator<Action, never> {
    this.#score = await this.#steepest.rescore();
    yield* this.#warmUp();
    let task = this.#options.tasks.length - 1;
    let stop = this.#stopBeforeRound();
    while (!stop) {
      const choice = await this.#chooseAfter(task);
      task = choice.task;
      await this.#foresee.choose(task);
      yield { type: "search", task, programs: this.trialsPerRound, reason: choice.reason };
      const foresee = await this.#foresee.round(task);
      if (foresee) {
        yield foresee;
      }
      this.#steepest.removeIfUnlike(task);
      stop =
        this.#earlyStopping.afterRound(this.#score, this.#trials, this.#progress.allMeasured) ??
        this.#stopBeforeRound();
    }
    for (;;) {
      yield { type: "stop", reason: stop };
    }
  }

  *#warmUp(): Generator<Action> {
    const unsearched = (from: number) => this.#progress.nextUnsearched(from);
    for (let task = unsearched(0); task !== null; task = unsearched(task + 1)) {
      yield { type: "search", task, programs: this.trialsPerRound, reason: { type: "warm-up" } };
    }
    this.#earlyStopping.begin(this.#score, this.#trials);
    this.#steepest.changed(this.#dead.afterWarmUp(this.#progress.bestCosts));
  }

  async #chooseAfter(last: number): Promise<{ task: number; reason: SearchReason }> {
    if (this.#options.strategy === "round-robin") {
      return { task: this.#dead.nextAlive(last), reason: { type: "next-in-turn" } };
    }
    const steepest = await this.#steepest.ofAll();
    if (!steepest) {
      throw new Error("No task is left to search.");
    }
    const { task, tied, gradient } = steepest;
    if (!tied) {
      return { task, reason: { type: "steepest", gradient } };
    }
    // Both references draw among all tasks here, dead ones too.
    const among = this.#options.tasks.length;
    return { task: await this.#options.draw(among), reason: { type: "drawn", among, gradient } };
  }

  async #likelyAfter(pending: SearchAction): Promise<SearchTarget | null> {
    const { trialsPerRound: programs } = this;
    if (pending.reason.type === "warm-up") {
      const task = this.#progress.nextUnsearched(pending.task + 1);
      return task === null ? null : { task, programs };
    }
    if (pending.reason.type === "next-in-turn") {
      return { task: this.#dead.nextAlive(pending.task), programs };
    }
    if (pending.reason.type !== "foresee" && this.#foresee.isDue) {
      return this.#foresee.likely;
    }
    if (this.#trials + pending.programs >= this.#options.trials) {
      return null;
    }
    const steepest = await this.#steepest.ofAll(pending);
    return !steepest || steepest.tied ? null : { task: steepest.task, programs };
  }

  #stopBeforeRound(): StopReason | null {
    if (this.#trials >= this.#options.trials) {
      return { type: "trials-spent", trials: this.#trials };
    }
    return this.#dead.alive === 0 ? { type: "all-tasks-dead" } : null;
  }
}
