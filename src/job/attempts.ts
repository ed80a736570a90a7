import { NothingRanError } from "../errors.js";
import type { JobHistory } from "../records/job-history.js";
import type { JournaledEnd } from "../records/journal.js";
import type { Failures, NothingRan, Program, TuneEvent } from "./events.js";
import { countFailures, firstError } from "./round-summary.js";

/** How the end of a job of which no program ran is told in few words, without the error itself. */
export function describeNothingRan({ programs = 0, failures = {} }: JournaledEnd): string {
  if (programs === 0) {
    return "TVM could lower no program";
  }
  const kinds = Object.entries(failures).map(([kind, count]) => `${count} ${kind}`);
  return `none of ${programs} programs ran${kinds.length > 0 ? ` (${kinds.join(", ")})` : ""}`;
}

/** @throws NothingRanError if an event is the end of a job of which no program ran. */
export function requireRan(event: TuneEvent, log: string): void {
  if (event.type !== "finished" && event.type !== "ended-before") {
    return;
  }
  const reason: JournaledEnd = event.reason;
  if (reason.type === "nothing-ran") {
    throw new NothingRanError(
      `The job of ${log} has no result: ${describeNothingRan(reason)}. The first error:\n${reason.firstError ?? "not known"}\n` +
        "Put right what it says (`familyseer doctor` checks this installation, `--target` names what is built for), and start " +
        "again without --resume.",
    );
  }
}

/** What of a round shows whether its programs ran. */
interface Attempt {
  readonly costs: readonly (number | null)[];
  readonly failures: Failures;
  readonly firstError: string | null;
}

/** What became of all programs of a job: whether any ran, and which tasks have been looked at. */
export class Attempts {
  readonly #lookedAt = new Set<number>();
  readonly #failures: Record<string, number> = {};
  #programs = 0;
  #firstError: string | null = null;
  #anyRan = false;

  /** `anyRan`: whether records that the job goes on from, and its journal does not have, are of programs that did. */
  constructor(
    private readonly tasks: number,
    anyRan: boolean,
  ) {
    this.#anyRan = anyRan;
  }

  /** Those of a job that goes on. One that had ended looks at every task again: what kept its programs may be mended. */
  static ofPast(tasks: number, anyRan: boolean, history: JobHistory): Attempts {
    const attempts = new Attempts(tasks, anyRan);
    for (const { started, finished } of history.rounds) {
      // One that was cut short is gone on with, and counts when it is finished.
      if (finished) {
        attempts.#count(finished);
        if (!history.ended) {
          attempts.#lookedAt.add(started.round.task);
        }
      }
    }
    return attempts;
  }

  /** A round on a task. Its notices say why where TVM could lower none. */
  add(task: number, measured: readonly Program[], notices: readonly string[]): void {
    this.#lookedAt.add(task);
    this.#count({
      costs: measured.map(({ cost }) => cost),
      failures: countFailures(measured),
      firstError: measured.length > 0 ? firstError(measured) : (notices[0] ?? null),
    });
  }

  /** Whether further rounds are in vain: every task had one, and no program ran. */
  get inVain(): boolean {
    return this.#lookedAt.size === this.tasks && this.nothingRan !== null;
  }

  /** Null where a program ran, or where there was none and nothing says that there should have been. */
  get nothingRan(): NothingRan | null {
    return this.#anyRan || (this.#programs === 0 && this.#firstError === null)
      ? null
      : {
          type: "nothing-ran",
          programs: this.#programs,
          failures: { ...this.#failures },
          firstError: this.#firstError,
        };
  }

  #count({ costs, failures, firstError: error }: Attempt): void {
    this.#programs += costs.length;
    this.#anyRan ||= costs.some((cost) => cost !== null);
    this.#firstError ??= error;
    for (const [kind, count] of Object.entries(failures)) {
      this.#failures[kind] = (this.#failures[kind] ?? 0) + count;
    }
  }
}
