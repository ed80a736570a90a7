import type {
  Decider,
  FastAction,
  FastSearch,
  FastStopReason,
  MeasuredProgram,
  RoundOutcome,
  RoundReport,
} from "../decider.js";
import { measuredOrNull, UNMEASURED_COST } from "../task.js";
import { Deaths } from "./dead-tasks.js";
import { FirstLooks } from "./first-looks.js";
import { ForeseeByGain } from "./foresee-by-gain.js";
import { GainRate, rateOf } from "./gain-rate.js";
import { LittleLeft } from "./little-left.js";
import { type CompleteFastOptions, completeOptions, type FastSchedulerOptions } from "./options.js";
import { Outlooks } from "./outlooks.js";
import { Ranking } from "./ranking.js";
import { Roof } from "./roof.js";
import { StalledDescent } from "./stalled-descent.js";
import { TaskStates } from "./task-states.js";

/**
 * Decides which task to search next, and by which recipe: first a look at every task, the first of each family a larger
 * one, then whatever is expected to lower the objective most per second.
 */
export class FastScheduler implements Decider {
  readonly trialsPerRound: number;
  readonly #options: CompleteFastOptions;
  readonly #states: TaskStates;
  readonly #roof: Roof;
  readonly #deaths: Deaths;
  readonly #looks: FirstLooks;
  readonly #rate: GainRate;
  readonly #outlooks: Outlooks;
  readonly #stalled: StalledDescent;
  readonly #ranking: Ranking;
  readonly #foresee: ForeseeByGain;
  readonly #littleLeft: LittleLeft;
  #pending: FastSearch | null = null;
  #trials: number;
  #bestScore = Number.POSITIVE_INFINITY;
  #bestScoreTrials = 0;

  /** @throws InvalidRequestError for options that no job can run with. */
  constructor(given: FastSchedulerOptions) {
    const options = completeOptions(given);
    const { tasks, trials, measuredBefore } = options;
    this.#options = options;
    this.#trials = options.trialsBefore;
    this.trialsPerRound = Math.min(options.trialsPerRound, Math.floor(trials / tasks.length));
    this.#states = new TaskStates(options);
    for (const { task, cost } of measuredBefore) {
      const state = this.#states.of(task);
      state.looks = 1;
      state.programs += 1;
      this.#states.improve(task, cost ?? UNMEASURED_COST);
    }
    this.#roof = new Roof(options.leastCosts);
    this.#deaths = new Deaths(options, this.#roof);
    this.#looks = new FirstLooks(options, this.trialsPerRound, this.#states);
    this.#rate = new GainRate(options.gainPerSecond ? "second" : "program", this.#states);
    this.#outlooks = new Outlooks(options, this.trialsPerRound, this.#states, this.#roof);
    this.#stalled = new StalledDescent(this.trialsPerRound);
    this.#ranking = new Ranking(options, this.trialsPerRound, this.#states, this.#rate, this.#outlooks, this.#stalled);
    this.#foresee = new ForeseeByGain(options, this.#states, this.#rate, this.#outlooks);
    this.#littleLeft = new LittleLeft(options.leastGain, tasks.length * this.trialsPerRound);
  }

  async next(): Promise<FastAction> {
    if (this.#pending) {
      return this.#pending;
    }
    const action = await this.#decide();
    if (action.type === "stop") {
      return action;
    }
    // Each task still to be looked at needs a program, too.
    const left = this.#options.trials - this.#trials - this.#looks.left;
    this.#pending = { ...action, programs: Math.max(1, Math.min(action.programs, left)) };
    return this.#pending;
  }

  async observe(measured: readonly MeasuredProgram[], report: RoundReport): Promise<RoundOutcome> {
    const action = this.#pending;
    if (!action) {
      throw new Error("observe() was called with no search pending; call next() first.");
    }
    this.#pending = null;
    const { task, recipe } = action;
    const state = this.#states.of(task);
    const before = state.best;
    const foreseen = action.reason.type === "expected-of-schedules";
    this.#states.improve(task, Math.min(...measured.map(({ cost }) => cost ?? UNMEASURED_COST)));
    state.looks += 1;
    state.programs += measured.length;
    // Where the machine is never quiet, every second such round counts.
    state.discounted = !state.discounted && state.best === before && isDisturbed(measured);
    state.unimproved = state.best < before ? 0 : state.unimproved + (state.discounted ? 0 : measured.length);
    this.#trials += measured.length;
    this.#learn(task, before, measured, report);
    if (!state.discounted) {
      this.#stalled.observe(task, before, measured, recipe);
    }
    if (this.#roof.isBrokenBy(task, state.best)) {
      this.#ranking.rankAnew();
    }
    const died = this.#deaths.afterRound(task, state, measured.length === 0 && !foreseen);
    state.dead = died !== null;
    if (state.dead) {
      this.#foresee.drop(task);
    } else {
      this.#queue(task, before);
    }
    this.#foresee.observe(task, before, state.best, foreseen);
    const { score } = this;
    if (score < this.#bestScore) {
      this.#bestScore = score;
      this.#bestScoreTrials = this.#trials;
    }
    if (!state.discounted) {
      this.#seeWhatIsLeft();
    }
    return {
      before: measuredOrNull(before),
      after: measuredOrNull(state.best),
      died,
      score: this.#states.allMeasured ? score : null,
      trials: this.#trials,
    };
  }

  async likelyNext(among: (task: number) => boolean = () => true): Promise<FastSearch | null> {
    if (this.#trials + (this.#pending?.programs ?? 0) >= this.#options.trials) {
      return null;
    }
    const look = this.#looks.likely(among);
    if (look) {
      // What it is made of depends on the pending look, if that is the first at its family.
      const pending = this.#pending && this.#states.of(this.#pending.task).family;
      return look.recipe.donors.length === 0 && this.#states.of(look.task).family === pending ? null : look;
    }
    // What those just looked at are expected to gain depends on the pending look, too.
    return this.#ranking.awaitsJudging
      ? null
      : this.#ranking.most((task) => task !== this.#pending?.task && among(task));
  }

  get trials(): number {
    return this.#trials;
  }

  get score(): number {
    return this.#states.score;
  }

  get bestCosts(): number[] {
    return this.#states.bestCosts;
  }

  async #decide(): Promise<FastAction> {
    if (this.#trials >= this.#options.trials) {
      return stop({ type: "trials-spent", trials: this.#trials });
    }
    const look = this.#looks.next();
    if (look) {
      return look;
    }
    const unimproved = this.#trials - this.#bestScoreTrials;
    if (unimproved >= (this.#options.earlyStopping ?? Number.POSITIVE_INFINITY)) {
      return stop({ type: "no-improvement", trials: unimproved });
    }
    const most = this.#ranking.most();
    if (!most) {
      return stop({ type: "all-tasks-dead" });
    }
    const littleLeft = this.#littleLeft.reason();
    if (littleLeft) {
      return stop(littleLeft);
    }
    const foreseen = await this.#foresee.next();
    return foreseen && rateOf(foreseen) > rateOf(most) ? foreseen : most;
  }

  /** Puts a task where it waits for its next search. */
  #queue(task: number, before: number): void {
    if (!this.#states.isMeasured(task)) {
      this.#looks.again(task);
    } else if (before === UNMEASURED_COST) {
      this.#ranking.addLookedAt(task);
    } else {
      this.#ranking.add(task);
    }
  }

  /** What a round says of the rounds to come: how long they take, and what they gain. */
  #learn(task: number, before: number, measured: readonly MeasuredProgram[], { seconds, accuracy }: RoundReport): void {
    const state = this.#states.of(task);
    const { family } = state;
    this.#rate.observe(task, seconds, measured.length);
    if (accuracy !== null) {
      family.foresaw(accuracy);
    }
    if (before < UNMEASURED_COST && !state.discounted) {
      family.shares.observe(before, measured);
      this.#outlooks.observe(task, measured.length, before, state.best);
    } else {
      family.shares.compareEarlier(measured);
    }
  }

  #seeWhatIsLeft(): void {
    const score = this.#states.scoreOfMeasured;
    if (this.#looks.left === 0 && score !== null) {
      this.#littleLeft.observe(this.#trials, score);
    }
  }
}

/** Whether a round's programs say nothing of the next ones: other work disturbed all of them. */
function isDisturbed(measured: readonly MeasuredProgram[]): boolean {
  return measured.length > 0 && measured.every(({ disturbed }) => disturbed ?? false);
}

function stop(reason: FastStopReason): FastAction {
  return { type: "stop", reason };
}
