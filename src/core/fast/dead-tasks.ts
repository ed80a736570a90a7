import type { DeathReason } from "../decider.js";
import { UNMEASURED_COST } from "../task.js";
import type { CompleteFastOptions } from "./options.js";
import type { TaskState } from "./task-states.js";

/** A task is done when its best cost is within this factor of what the machine can do. */
const AT_THE_ROOF = 1.1;
/** Looks at a task of which no program ran, each twice as large as the one before. */
const UNMEASURED_LOOKS = 4;

/** Says when a task is to be searched no further. */
export class Deaths {
  /** Until a program proves the bounds wrong. */
  #boundsHold = true;

  constructor(private readonly options: Pick<CompleteFastOptions, "leastCosts" | "taskEarlyStopping">) {}

  /** Why a round leaves a task dead; null where it does not. `exhausted`: there was nothing left to measure. */
  afterRound(task: number, { best, unimproved, looks }: TaskState, exhausted: boolean): DeathReason | null {
    if (exhausted) {
      return "exhausted";
    }
    const least = this.options.leastCosts[task] ?? 0;
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
    return unimproved > (this.options.taskEarlyStopping ?? Number.POSITIVE_INFINITY) ? "unimproved" : null;
  }
}
