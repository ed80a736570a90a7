import type { FastSearch, RateUnit } from "../decider.js";
import { mixed } from "./family-outlook.js";
import type { TaskStates } from "./task-states.js";

/** How fast the objective is expected to fall: by what a round gains, and the seconds (or programs) that it takes. */
export class GainRate {
  /** Of all tasks lately. */
  #secondsPerProgram = 1;

  constructor(
    readonly per: RateUnit,
    private readonly states: TaskStates,
  ) {}

  /** A round on a task took so many seconds for so many programs. */
  observe(task: number, seconds: number, programs: number): void {
    if (programs > 0) {
      const state = this.states.of(task);
      const pace = seconds / programs;
      state.secondsPerProgram = mixed(state.secondsPerProgram, pace);
      this.#secondsPerProgram = mixed(this.#secondsPerProgram, pace);
    }
  }

  /** By how much the objective falls per second (or program) if a round takes that share off the task's cost. */
  of(task: number, share: number, programs: number): number {
    const { secondsPerProgram } = this.states.of(task);
    const seconds = this.per === "second" ? (secondsPerProgram ?? this.#secondsPerProgram) : 1;
    return this.states.fall(task, share) / (seconds * programs);
  }
}

/** The rate that a search was chosen for; none is asked of a first look. */
export function rateOf({ reason }: FastSearch): number {
  return reason.type === "first-look" ? 0 : reason.rate;
}
