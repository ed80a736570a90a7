import type { DeathReason } from "../decider.js";
import { UNMEASURED_COST } from "../task.js";
import type { CompleteFastOptions } from "./options.js";
import type { Roof } from "./roof.js";
import type { TaskState } from "./task-states.js";

/** Looks at a task of which no program ran, each twice as large as the one before. */
const UNMEASURED_LOOKS = 4;

/** Says when a task is to be searched no further. */
export class Deaths {
  constructor(
    private readonly options: Pick<CompleteFastOptions, "roofMargin" | "taskEarlyStopping">,
    private readonly roof: Roof,
  ) {}

  /** Why a round leaves a task dead; null where it does not. `exhausted`: there was nothing left to measure. */
  afterRound(task: number, { best, unimproved, looks }: TaskState, exhausted: boolean): DeathReason | null {
    const { roofMargin, taskEarlyStopping } = this.options;
    if (exhausted) {
      return "exhausted";
    }
    if (best <= (1 + roofMargin) * this.roof.least(task)) {
      return "at-the-roof";
    }
    if (best === UNMEASURED_COST && looks >= UNMEASURED_LOOKS) {
      return "never-ran";
    }
    return unimproved > (taskEarlyStopping ?? Number.POSITIVE_INFINITY) ? "unimproved" : null;
  }
}
