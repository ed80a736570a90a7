import type { MeasuredEvent } from "../protocol/operations/measure.js";

/** Counts the programs that other work disturbed while they were timed, and those that were timed again. */
export class Disturbances {
  #programs = 0;
  #disturbed = 0;
  #timedAgain = 0;

  count({ device, disturbed, timings }: Pick<MeasuredEvent, "device" | "disturbed" | "timings">): void {
    this.#programs += device === null ? 0 : 1;
    this.#disturbed += disturbed || timings > 1 ? 1 : 0;
    this.#timedAgain += timings > 1 ? 1 : 0;
  }

  /** What a user is to be told in the end; nothing where nothing was disturbed. */
  lines(): string[] {
    return this.#disturbed === 0
      ? []
      : [
          `${this.#disturbed} of ${this.#programs} timings were disturbed by other work on this machine; ` +
            `${this.#timedAgain} were timed again.`,
        ];
  }
}
