import type { MeasuredProgram } from "../decider.js";
import { noPrograms, ORIGINS, type Origin } from "./recipe.js";

/** What an origin is taken to have gained, and from how many programs, before it has been tried. */
const PRIOR_GAIN = 0.2;
const PRIOR_PROGRAMS = 4;
/** What was gained counts less and less, so that an origin that has run dry loses its share. */
const FORGETTING = 0.8;
/** Evolution always has a few of a round's programs: alone it finds more where the other origins have run dry. */
const LEAST_EVOLVED = 3;

/** Shares out a round's programs by what each origin's programs have gained: the logarithm of cost before over after. */
export class OriginShares {
  readonly #gained = new Map<Origin, number>();
  readonly #programs = new Map<Origin, number>();

  /** Takes what a round's programs of each origin gained over the task's best cost (seconds) before the round. */
  observe(best: number, measured: readonly MeasuredProgram[]): void {
    for (const origin of ORIGINS) {
      const programs = measured.filter((each) => each.origin === origin);
      if (programs.length === 0) {
        continue;
      }
      const gain = Math.max(0, ...programs.map(({ cost }) => (cost === null ? 0 : Math.log(best / cost))));
      this.#gained.set(origin, FORGETTING * (this.#gained.get(origin) ?? 0) + gain);
      this.#programs.set(origin, FORGETTING * (this.#programs.get(origin) ?? 0) + programs.length);
    }
  }

  /** Takes what a first look says of earlier jobs' schedules: how far their best is ahead of the others' best. */
  compareEarlier(measured: readonly MeasuredProgram[]): void {
    const others = measured.filter(({ origin }) => origin !== "earlier");
    const best = Math.min(...others.map(({ cost }) => cost ?? Number.POSITIVE_INFINITY));
    if (best < Number.POSITIVE_INFINITY) {
      this.observe(
        best,
        measured.filter(({ origin }) => origin === "earlier"),
      );
    }
  }

  /** So many programs shared out in proportion to what the origins are worth. */
  share(programs: number, origins: readonly Origin[]): Record<Origin, number> {
    const shares = noPrograms();
    const next = (origin: Origin) => this.#worth(origin) / (shares[origin] + 1);
    if (origins.includes("evolution")) {
      shares.evolution = Math.min(LEAST_EVOLVED, programs);
    }
    for (let count = shares.evolution; count < programs; count += 1) {
      shares[origins.reduce((a, b) => (next(b) > next(a) ? b : a))] += 1;
    }
    return shares;
  }

  #worth(origin: Origin): number {
    return ((this.#gained.get(origin) ?? 0) + PRIOR_GAIN) / ((this.#programs.get(origin) ?? 0) + PRIOR_PROGRAMS);
  }
}
