import type { FastSearch } from "../decider.js";
import { composeRecipe } from "./compose-recipe.js";
import { type GainRate, rateOf } from "./gain-rate.js";
import type { CompleteFastOptions } from "./options.js";
import type { Outlooks } from "./outlooks.js";
import type { TaskStates } from "./task-states.js";

/** A round that gained more than this share makes its siblings candidates for a foresee round. */
const WORTH_FORESEEING = 0.02;

/** Foresee rounds: after a round that improved a task, its schedules are fitted to the siblings that gain most by them. */
export class ForeseeByGain {
  /** Those that may pay, the most promising first. */
  #rounds: FastSearch[] = [];
  /** The task that the last round improved, if it did. */
  #improved: number | null = null;

  constructor(
    private readonly options: CompleteFastOptions,
    private readonly states: TaskStates,
    private readonly rate: GainRate,
    private readonly outlooks: Outlooks,
  ) {}

  /** A round brought a task from `before` to `after` seconds. What a foresee round improved is foreseen no further. */
  observe(task: number, before: number, after: number, foreseen: boolean): void {
    this.#improved = !foreseen && after < before * (1 - WORTH_FORESEEING) ? task : null;
  }

  /** A task is searched no further. */
  drop(task: number): void {
    this.#rounds = this.#rounds.filter((each) => each.task !== task);
  }

  /** Takes the most promising round, where there is one. */
  async next(): Promise<FastSearch | null> {
    await this.#lookForRounds();
    return this.#rounds.shift() ?? null;
  }

  async #lookForRounds(): Promise<void> {
    const after = this.#improved;
    this.#improved = null;
    const { foreseeByGain, shareSchedules, foreseeTrials, expectGains } = this.options;
    if (after === null || !foreseeByGain || !shareSchedules) {
      return;
    }
    const { family } = this.states.of(after);
    const siblings = this.states.donors(after).filter((id) => !this.states.of(id).dead);
    // What an earlier improvement's schedules were expected to gain is outdated.
    this.#rounds = [];
    if (siblings.length === 0) {
      return;
    }
    const gains = await expectGains(after, siblings);
    const programs = Math.max(1, Math.floor(foreseeTrials / 2));
    const recipe = composeRecipe(this.options, family, [after], { sibling: programs });
    const { per } = this.rate;
    this.#rounds = siblings
      .flatMap((task, index): FastSearch[] => {
        const gain = gains[index] ?? 0;
        const share = this.outlooks.bounded(task, (gain / (1 + gain)) * family.accuracy);
        const rate = this.rate.of(task, share, programs);
        const reason = { type: "expected-of-schedules", family: family.name, after, gain, rate, per } as const;
        return gain > WORTH_FORESEEING ? [{ type: "search", task, programs, reason, recipe }] : [];
      })
      .sort((a, b) => rateOf(b) - rateOf(a));
  }
}
