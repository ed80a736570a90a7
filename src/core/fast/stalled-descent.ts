import type { MeasuredProgram } from "../decider.js";
import type { Origin, Recipe } from "./recipe.js";

/** A task is stalled after so many rounds' programs of which none was better than its best. */
const STALLED_ROUNDS = 2;

/**
 * Says which tasks are searched by moves from their best programs, too: those whose searches have stalled, till something else
 * than a move gains again, or no move is left.
 */
export class StalledDescent {
  /** Of each task: programs since something else than a move gained, or no move was left. */
  readonly #fruitless = new Map<number, number>();

  constructor(private readonly trialsPerRound: number) {}

  /** What a round of that recipe measured; `before` is the task's best cost then, in seconds. */
  observe(task: number, before: number, measured: readonly MeasuredProgram[], recipe: Recipe): void {
    const gainedBy = bestOrigin(before, measured);
    const noneLeft = recipe.programs.descent > 0 && measured.every(({ origin }) => origin !== "descent");
    if (noneLeft || (gainedBy !== null && gainedBy !== "descent")) {
      this.#fruitless.set(task, 0);
    } else if (gainedBy === null) {
      this.#fruitless.set(task, this.#since(task) + measured.length);
    }
  }

  /** Whether moves are to be among a task's programs. */
  takes(task: number): boolean {
    return this.#since(task) >= STALLED_ROUNDS * this.trialsPerRound;
  }

  #since(task: number): number {
    return this.#fruitless.get(task) ?? 0;
  }
}

/** Where the best of some programs came from; null if none is better than `before`. */
function bestOrigin(before: number, measured: readonly MeasuredProgram[]): Origin | null {
  let [best, gainedBy]: [number, Origin | null] = [before, null];
  for (const { cost, origin } of measured) {
    if (cost !== null && cost < best) {
      [best, gainedBy] = [cost, origin];
    }
  }
  return gainedBy;
}
