import { InvalidRequestError } from "../../errors.js";
import type { MeasuredProgram, PastProgram } from "../decider.js";
import { UNMEASURED_COST } from "../task.js";

/** Above this cost (seconds) a task counts as not measured when the whole job may stop early; TVM's number. */
const MEASURED_BELOW = 1e9;

/** How far a task has come when a job starts. */
export interface StartingPoint {
  readonly rounds: number;
  readonly bestRound: number;
  /** Seconds; {@link UNMEASURED_COST} where no program ran. */
  readonly bestCost: number;
  /** Best cost after each round. */
  readonly history: readonly number[];
  readonly dead: boolean;
}

export const NOTHING_DONE: StartingPoint = {
  rounds: 0,
  bestRound: 0,
  bestCost: UNMEASURED_COST,
  history: [],
  dead: false,
};

interface TaskState {
  rounds: number;
  bestRound: number;
  readonly history: number[];
}

/** How far each task has come: its rounds, its best cost (seconds), and what that was after each round. */
export class Progress {
  readonly #states: readonly TaskState[];
  readonly #bestCosts: number[];
  /** Tasks whose cost is not below {@link MEASURED_BELOW}. */
  #unmeasured: number;

  constructor(startAt: readonly StartingPoint[]) {
    this.#states = startAt.map(({ rounds, bestRound, history }) => ({ rounds, bestRound, history: [...history] }));
    this.#bestCosts = startAt.map(({ bestCost }) => bestCost);
    this.#unmeasured = this.#countUnmeasured();
  }

  /**
   * Takes over an earlier run's records, oldest first, the way TVM does, whose round counts are estimates too.
   *
   * @returns of each task, how many programs it measured since its best.
   * @throws InvalidRequestError for a record of a task that there is not.
   */
  restore(records: readonly PastProgram[], trialsPerRound: number): number[] {
    const counts = this.#states.map((state) => ({ measured: state.rounds, best: state.bestRound }));
    for (const { task, cost } of records) {
      const count = counts[task];
      if (!count) {
        throw new InvalidRequestError(`A record names task ${task}; the tasks are 0 to ${this.#states.length - 1}.`);
      }
      count.measured += 1;
      if (cost !== null && cost < this.bestCost(task)) {
        this.#bestCosts[task] = cost;
        count.best = count.measured;
      }
    }
    for (const [id, { measured, best }] of counts.entries()) {
      const state = this.of(id);
      state.rounds = Math.trunc(measured / trialsPerRound + 0.5);
      state.bestRound = Math.trunc(best / trialsPerRound + 0.5);
      state.history.push(this.bestCost(id));
    }
    this.#unmeasured = this.#countUnmeasured();
    return counts.map(({ measured, best }) => measured - best);
  }

  /** A task had a round, which counts as one of its own or, as a foresee round, does not. */
  observe(task: number, measured: readonly Pick<MeasuredProgram, "cost">[], counts: boolean): void {
    const state = this.of(task);
    const before = this.bestCost(task);
    state.rounds += counts ? 1 : 0;
    for (const { cost } of measured) {
      if (cost !== null && cost < this.bestCost(task)) {
        state.bestRound = state.rounds;
        this.#bestCosts[task] = cost;
      }
    }
    const after = this.bestCost(task);
    this.#unmeasured -= after < MEASURED_BELOW && !(before < MEASURED_BELOW) ? 1 : 0;
    state.history.push(after);
  }

  /** @throws Error if there is no such task. */
  of(task: number): TaskState {
    const state = this.#states[task];
    if (!state) {
      throw new Error(`There is no task ${task}.`);
    }
    return state;
  }

  bestCost(task: number): number {
    return this.#bestCosts[task] ?? UNMEASURED_COST;
  }

  /** Best cost of each task. */
  get bestCosts(): readonly number[] {
    return [...this.#bestCosts];
  }

  /** Whether a program of every task ran. */
  get allMeasured(): boolean {
    return this.#unmeasured === 0;
  }

  /** Rounds given to each task, foresee rounds not counted. */
  get rounds(): readonly number[] {
    return this.#states.map((state) => state.rounds);
  }

  /** The round in which each task's best program was found. */
  get bestRounds(): readonly number[] {
    return this.#states.map((state) => state.bestRound);
  }

  /** Best cost of each task after each of its rounds, foresee rounds included. */
  get histories(): readonly (readonly number[])[] {
    return this.#states.map((state) => [...state.history]);
  }

  /** The first task from one on that had no round; null if there is none. */
  nextUnsearched(from: number): number | null {
    for (let task = from; task < this.#states.length; task += 1) {
      if (this.#states[task]?.rounds === 0) {
        return task;
      }
    }
    return null;
  }

  #countUnmeasured(): number {
    return this.#bestCosts.filter((cost) => !(cost < MEASURED_BELOW)).length;
  }
}
