import type { MeasuredEvent } from "../protocol/operations/measure.js";
import type { AppendOnlyFile } from "../records/append-only-file.js";
import { entry } from "../records/journal.js";

export interface RecorderOptions {
  readonly log: AppendOnlyFile;
  readonly journal: AppendOnlyFile;
  /** The number in its round of the first program that will come. */
  readonly first: number;
  /** Seconds since the round began. */
  readonly clock: () => number;
  /** Told of each program once it is on the disk. */
  readonly tell: (event: MeasuredEvent) => void;
}

/** Writes a round's programs down as they come; those that come while it writes are written together. */
export class Recorder {
  readonly #failed = new AbortController();
  readonly #waiting: MeasuredEvent[] = [];
  #next: number;
  #writing: Promise<void> = Promise.resolve();
  #idle = true;

  constructor(private readonly options: RecorderOptions) {
    this.#next = options.first;
  }

  /** Aborts when nothing can be written any more. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  take(event: MeasuredEvent): void {
    this.#waiting.push(event);
    if (this.#idle) {
      this.#idle = false;
      this.#writing = this.#write();
      this.#writing.catch(() => this.#failed.abort());
    }
  }

  /** Waits until all that came is written and told. Throws what kept it from being written. */
  async done(): Promise<void> {
    await this.#writing;
  }

  /** The journal first: a record that is in the log has its entry, and an entry without a record counts for nothing. */
  async #write(): Promise<void> {
    const { log, journal, clock, tell } = this.options;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      const seconds = clock();
      await journal.append(
        batch.map((event, index) => {
          const { cost, failure, device, origin, timing_seconds: timingSeconds, waited, disturbed, timings } = event;
          const program = this.#next + index;
          const timed = { timingSeconds, waited, disturbed, timings };
          return entry({ type: "measured", program, cost, failure, device, origin, ...timed, seconds });
        }),
      );
      await log.append(batch.map(({ record }) => record));
      this.#next += batch.length;
      for (const event of batch) {
        tell(event);
      }
    }
    this.#idle = true;
  }
}
