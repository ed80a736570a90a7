const MIB = 1024 * 1024;
/** Memory after this share of the messages is what growth is measured from: code and caches are loaded by then. */
const WARM_UP = 0.2;

/** What came of one run. */
export class Tally {
  messages = 0;
  refused = 0;
  /** The longest that one message kept its end busy, in milliseconds. */
  slowest = 0;
  /** Resident memory at the end beyond that after warm-up, in MiB. */
  growth = 0;
  #warm = 0;

  constructor(readonly name: string) {}

  time(deliver: () => void): void {
    const begun = performance.now();
    deliver();
    this.slowest = Math.max(this.slowest, performance.now() - begun);
  }

  count(errors: readonly Error[]): void {
    this.messages += 1;
    this.refused += errors.length > 0 ? 1 : 0;
  }

  measureGrowth(index: number, all: number): void {
    if (index === Math.floor(all * WARM_UP)) {
      this.#warm = residentMemory();
    } else if (index === all - 1) {
      this.growth = residentMemory() - this.#warm;
    }
  }
}

function residentMemory(): number {
  globalThis.gc?.();
  return process.memoryUsage.rss() / MIB;
}
