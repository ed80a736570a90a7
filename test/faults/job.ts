import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import type { TuneEvent } from "../../src/index.js";
import { logIn } from "../../src/records/paths.js";
import { marked, type Part, partsOf } from "./processes.js";

const MARK = "FAMILYSEER_FAULTS";
const POLL_MS = 10;

export type Measured = Extract<TuneEvent, { type: "measured" }>;

export interface JobSettings {
  /** Arguments of `familyseer tune`, but for the log. */
  readonly arguments: readonly string[];
  readonly trials: number;
  /** Whether the log is a database's folder. */
  readonly database?: boolean;
  /** Milliseconds until measuring begins, about. */
  readonly beginsIn: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/** One tuning job, in a folder of its own: started, killed, and gone on with until it is done. */
export class Job {
  readonly mark = `${MARK}=${randomUUID()}`;
  /** Whose records were reported, in all lives so far. */
  readonly reported: Measured[] = [];
  readonly lives: Life[] = [];
  /** Workload keys of the tasks, known from the first `started` on. */
  keys: readonly string[] = [];

  private constructor(
    readonly settings: JobSettings,
    /** Where the job's temporary files go. */
    readonly temporary: string,
    /** Where the log is. */
    readonly folder: string,
    private readonly root: string,
  ) {}

  static async prepare(settings: JobSettings): Promise<Job> {
    const root = await mkdtemp(join(tmpdir(), "familyseer-faults-"));
    const [temporary, folder] = [join(root, "tmp"), join(root, "log")];
    await Promise.all([mkdir(temporary), mkdir(folder)]);
    return new Job(settings, temporary, folder, root);
  }

  get log(): string {
    return join(this.folder, "job.log");
  }

  /** The log, or, of a database, its file of records. */
  get recordsFile(): string {
    return this.settings.database ? logIn(this.log) : this.log;
  }

  get environment(): Record<string, string> {
    const [name = "", value = ""] = this.mark.split("=");
    return { ...this.settings.environment, [name]: value, TMPDIR: this.temporary };
  }

  /** Starts it, or goes on with it. */
  start(): Life {
    const resume = this.lives.length > 0 ? ["--resume"] : [];
    const life = new Life(this, ["tune", ...this.settings.arguments, "--log", this.log, "--json", ...resume]);
    this.lives.push(life);
    return life;
  }

  async remove(): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}

export interface End {
  /** Null: ended by a signal. */
  readonly code: number | null;
  readonly errors: string;
}

/** One process of the orchestrator, from start to end. */
export class Life {
  readonly end: Promise<End>;
  /** Whether it said that the job is done. */
  done = false;
  #begun = 0;
  #measured = 0;
  readonly #process;

  constructor(
    private readonly job: Job,
    args: readonly string[],
  ) {
    this.#process = execa("node", ["scripts/familyseer.js", ...args], {
      env: job.environment,
      reject: false,
      buffer: { stdout: false, stderr: true },
      stdin: "ignore",
      detached: true,
    });
    const lines = createInterface({ input: this.#process.stdout }).on("line", (line) => this.#take(line));
    const read = new Promise<void>((resolve) => lines.once("close", resolve));
    this.end = Promise.all([this.#process, read]).then(([{ exitCode, stderr }]) => ({
      code: exitCode ?? null,
      errors: stderr,
    }));
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Whether tasks are known, and measuring begins. */
  get begun(): boolean {
    return this.#begun > 0;
  }

  get measured(): number {
    return this.#measured;
  }

  /** Settles with true once `what` holds, with false if the process ends first. */
  async until(what: () => boolean): Promise<boolean> {
    const over = new AbortController();
    void this.end.then(() => over.abort());
    while (!over.signal.aborted && !what()) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return !over.signal.aborted;
  }

  /** A process of the job that does this, once there is one; null if the job ends first. */
  async part(part: Part): Promise<number | null> {
    await this.until(() => partsOf(this.job.mark, part).length > 0);
    return partsOf(this.job.mark, part).at(-1)?.pid ?? null;
  }

  /** Ends it with all that it started, as nothing of ours would. */
  kill(): void {
    for (const { pid } of marked(this.job.mark)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Gone already.
      }
    }
  }

  #take(line: string): void {
    let event: TuneEvent;
    try {
      event = JSON.parse(line);
    } catch {
      // Cut short by a kill: not reported.
      return;
    }
    if (event.type === "started") {
      this.#begun += 1;
      this.job.keys = event.tasks.map((task) => task.workloadKey);
    } else if (event.type === "measured") {
      this.#measured += 1;
      this.job.reported.push(event);
    } else if (event.type === "finished" || event.type === "ended-before") {
      this.done = true;
    }
  }
}
