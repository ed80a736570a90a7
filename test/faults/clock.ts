import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";

/** A wall clock that jumps, for the processes that have its environment. */
export class Clock {
  private constructor(private readonly folder: string) {}

  static async make(folder: string): Promise<Clock> {
    const clock = new Clock(folder);
    await execa("cc", ["-shared", "-fPIC", "-O1", "-o", clock.#library, "test/faults/clock.c"]);
    await clock.jump(0);
    return clock;
  }

  get environment(): Record<string, string> {
    return { LD_PRELOAD: this.#library, FAULTS_CLOCK: this.#file };
  }

  /** From now on it is off by so many seconds. */
  async jump(seconds: number): Promise<void> {
    await writeFile(`${this.#file}.new`, String(seconds));
    await rename(`${this.#file}.new`, this.#file);
  }

  get #library(): string {
    return join(this.folder, "clock.so");
  }

  get #file(): string {
    return join(this.folder, "clock");
  }
}
