import { InvalidRequestError } from "../../errors.js";
import type { Families } from "../families.js";
import type { Objective } from "../objective.js";
import { type Task, UNMEASURED_COST } from "../task.js";
import { FamilyOutlook } from "./family-outlook.js";
import type { CompleteFastOptions } from "./options.js";

/** So many siblings give their schedules, and so many are asked for what they expect of another's; of so many at most. */
const DONORS = 6;
const LOOKED_AT = 32;

export interface TaskState {
  readonly family: FamilyOutlook;
  /** Work that is expected, in parts of what a task has on average. */
  readonly work: number;
  looks: number;
  /** Programs measured. */
  programs: number;
  /** Whether its last round counted for nothing, as other work disturbed all of its programs. */
  discounted: boolean;
  /** Programs since its best. */
  unimproved: number;
  /** Seconds; {@link UNMEASURED_COST} while no program ran. */
  best: number;
  /** Seconds a program takes, with its share of searching and learning. */
  secondsPerProgram: number | null;
  dead: boolean;
}

/** What is known of each task, and the objective of their best costs. */
export class TaskStates {
  /** With their families' order kept, those with most work of a family first. */
  readonly order: readonly number[];
  readonly #tasks: readonly Task[];
  readonly #objective: Objective | null;
  readonly #states: readonly TaskState[];
  /** Of the tasks that have a program: the sum of their weighted costs; of the others, the weights and how many. */
  #measuredCost = 0;
  #unmeasuredWeight: number;
  #unmeasured: number;

  /** @throws InvalidRequestError if a task is in no family. */
  constructor(options: CompleteFastOptions) {
    const { tasks, leastCosts, shareAcross } = options;
    this.#tasks = tasks;
    this.#objective = options.objective;
    const families: Families = options.families ?? new Map(tasks.map((_, id) => [String(id), [id]]));
    const work = expectedWork(tasks, leastCosts);
    const states = new Map<number, TaskState>();
    for (const [name, ids] of families) {
      const carriedOver = options.shareSchedules && options.carriedOver.includes(name);
      const family = new FamilyOutlook(name, ids, tasks, work, carriedOver, shareAcross);
      for (const id of ids) {
        states.set(id, newState(family, work[id] ?? 0));
      }
    }
    this.#states = tasks.map((_, id) => states.get(id) ?? missing(id));
    this.#unmeasured = tasks.length;
    this.#unmeasuredWeight = tasks.reduce((sum, { weight }) => sum + weight, 0);
    this.order = [...families.values()].flatMap((ids) => [...ids].sort((a, b) => (work[b] ?? 0) - (work[a] ?? 0)));
  }

  /** @throws Error if there is no such task. */
  of(task: number): TaskState {
    const state = this.#states[task];
    if (!state) {
      throw new Error(`There is no task ${task}.`);
    }
    return state;
  }

  /** Whether a program of the task ran. */
  isMeasured(task: number): boolean {
    return this.of(task).best < UNMEASURED_COST;
  }

  get allMeasured(): boolean {
    return this.#unmeasured === 0;
  }

  get anyMeasured(): boolean {
    return this.#unmeasured < this.#states.length;
  }

  /** The tasks of which a program ran. */
  get measured(): number[] {
    return [...this.#states.keys()].filter((id) => this.isMeasured(id));
  }

  /** FLOP/s of the task's best program. */
  throughput(task: number): number {
    return (this.#tasks[task]?.flops ?? 0) / this.of(task).best;
  }

  /** Best cost of each task in seconds; {@link UNMEASURED_COST} where no program ran. */
  get bestCosts(): number[] {
    return this.#states.map(({ best }) => best);
  }

  /** The objective of the best costs. */
  get score(): number {
    return this.#objective
      ? this.#objective(this.bestCosts)
      : this.#measuredCost + this.#unmeasuredWeight * UNMEASURED_COST;
  }

  /** The objective of the tasks of which a program ran; null where that cannot be told apart. */
  get scoreOfMeasured(): number | null {
    return this.#objective === null ? this.#measuredCost : this.allMeasured ? this.score : null;
  }

  /** By how much the objective falls if that share is taken off the task's cost. */
  fall(task: number, share: number): number {
    const { best } = this.of(task);
    return this.#objective === null
      ? (this.#tasks[task]?.weight ?? 1) * best * share
      : this.#objective(this.bestCosts) - this.#objective(this.bestCosts.with(task, best * (1 - share)));
  }

  /** Takes a task's new cost in seconds, if it is better than its best. */
  improve(task: number, cost: number): void {
    const state = this.of(task);
    if (!(cost < state.best)) {
      return;
    }
    const { weight = 1, flops = 0 } = this.#tasks[task] ?? {};
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

  /** The most alike of a task's siblings that have a program. */
  donors(task: number): number[] {
    const donors: number[] = [];
    let looked = 0;
    for (const sibling of this.of(task).family.likeness.near(task)) {
      looked += 1;
      if (this.isMeasured(sibling)) {
        donors.push(sibling);
      }
      if (donors.length === DONORS || looked === LOOKED_AT) {
        break;
      }
    }
    return donors;
  }
}

function newState(family: FamilyOutlook, work: number): TaskState {
  return {
    family,
    work,
    looks: 0,
    programs: 0,
    discounted: false,
    unimproved: 0,
    best: UNMEASURED_COST,
    secondsPerProgram: null,
    dead: false,
  };
}

function missing(id: number): never {
  throw new InvalidRequestError(`Task ${id} is in no family. Expected each task in one.`);
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
