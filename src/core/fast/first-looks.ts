import type { FastSearch } from "../decider.js";
import { composeRecipe } from "./compose-recipe.js";
import type { CompleteFastOptions } from "./options.js";
import type { Origin } from "./recipe.js";
import type { TaskStates } from "./task-states.js";

/** Of a first look, the share of schedules that were fitted; the rest is random. */
const FITTED_AT_FIRST = 0.75;
/** A first look has so many programs at least, if the job's rounds have. */
const LEAST_LOOK = 2;

/** Looks at the tasks of which no program ran yet: at every one once, the first of each family a larger look. */
export class FirstLooks {
  /** The next one last. */
  readonly #toLookAt: number[];

  constructor(
    private readonly options: CompleteFastOptions,
    private readonly trialsPerRound: number,
    private readonly states: TaskStates,
  ) {
    this.#toLookAt = states.order.filter((id) => !states.isMeasured(id)).toReversed();
  }

  /** How many tasks are still to be looked at. */
  get left(): number {
    return this.#toLookAt.length;
  }

  /** Takes the next look; null if none is left. */
  next(): FastSearch | null {
    const task = this.#toLookAt.pop();
    return task === undefined ? null : this.#look(task);
  }

  /** The next look among some tasks, if any of them is still to be looked at; it stays to be taken. */
  likely(among: (task: number) => boolean): FastSearch | null {
    const task = this.#toLookAt.findLast(among);
    return task === undefined ? null : this.#look(task);
  }

  /** No program of the task's look ran. */
  again(task: number): void {
    // Where none of any task ran, the fault may be of all: each is looked at once before any is again.
    this.#toLookAt[this.states.anyMeasured ? "push" : "unshift"](task);
  }

  #look(task: number): FastSearch {
    const { family } = this.states.of(task);
    const donors = this.states.donors(task);
    const first = donors.length === 0;
    const programs = this.#programs(task, first);
    const origins: Origin[] = family.carriedOver ? ["earlier"] : [];
    if (this.options.shareSchedules && !first) {
      origins.push("sibling");
    }
    // One at least is random: there may be nothing to fit.
    const fitting = origins.length > 0 ? Math.min(programs - 1, Math.ceil(FITTED_AT_FIRST * programs)) : 0;
    const shares = { ...family.shares.share(fitting, origins), random: programs - fitting };
    const recipe = composeRecipe(this.options, family, donors, shares);
    return { type: "search", task, programs, reason: { type: "first-look", family: family.name, first }, recipe };
  }

  /** Fewer where little of the work is a task's, or, as it is the first of its family, the family's; more at each further look. */
  #programs(task: number, first: boolean): number {
    const { trialsPerRound } = this;
    const { sizedLooks, foreseeTrials, firstLook } = this.options;
    const { family, work, looks } = this.states.of(task);
    // Where earlier jobs have schedules to begin with, fewer at random will do.
    const ofFirst = (family.carriedOver ? 1 : 2) * trialsPerRound;
    const most = first
      ? Math.min(ofFirst, firstLook ?? Number.POSITIVE_INFINITY)
      : Math.min(foreseeTrials, trialsPerRound);
    const share = sizedLooks ? Math.min(1, first ? family.work : work) : 1;
    return (
      Math.max(Math.min(most, first ? foreseeTrials : LEAST_LOOK), Math.round(most * Math.sqrt(share))) * 2 ** looks
    );
  }
}
