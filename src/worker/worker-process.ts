import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { execa } from "execa";
import { pythonArguments, pythonEnvironment } from "./installation.js";
import type { Peer, StartPeer } from "./zeromq-channel.js";

/** How many of a worker's last lines of output an error shows. */
const KEPT_LINES = 20;
/** How long the rest of a process's output may take after its end; what it started may hold that open. */
const OUTPUT_MS = 500;
/** TVM's Maven build prints this on every start; it means nothing. */
const HARMLESS = /-mcpu=apple-latest/;

export interface WorkerProcessOptions {
  readonly python: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Written to its standard input, which then stays open. */
  readonly input?: string;
  readonly ended: (reason: string) => void;
  /** Told each line that it prints. */
  readonly onOutput?: OnOutput | undefined;
}

export type OnOutput = (line: string) => void;

/** Starts our worker in a Python that has TVM. */
export function workerProcess(python: string, onOutput?: OnOutput): StartPeer {
  return ({ endpoint, keys, folder }, ended) =>
    new WorkerProcess({
      python,
      args: pythonArguments(
        "familyseer.worker",
        "--connect",
        endpoint,
        ...(folder === null ? [] : ["--folder", folder]),
        ...(keys ? ["--keys", "-"] : []),
      ),
      env: { ...pythonEnvironment(), PYTHONUNBUFFERED: "1", ...(folder === null ? {} : { TMPDIR: folder }) },
      // Neither an argument, which every user sees, nor the environment, which all it starts would have.
      input: keys ? `${JSON.stringify(keys)}\n` : "",
      ended,
      onOutput,
    });
}

/**
 * A Python process in a process group of its own: a terminal's Ctrl-C does not reach it, and ending it ends all it
 * started. It holds the other end of our pipe as its standard input, so that it ends too if this process is killed.
 */
export class WorkerProcess implements Peer {
  readonly #process: ReturnType<typeof spawn>;
  readonly #lines: string[] = [];
  readonly #exit: Promise<void>;

  constructor({ python, args, env, input = "", ended, onOutput }: WorkerProcessOptions) {
    this.#process = spawn(python, args, env);
    // One that has ended already says so below.
    this.#process.stdin?.on("error", () => undefined);
    this.#process.stdin?.write(input);
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream) {
        createInterface({ input: stream }).on("line", (line) => this.#keep(line, onOutput));
      }
    }
    const closed = new Promise((resolve) => {
      this.#process.once("close", resolve);
    });
    // Not execa's own end, which waits for the output too: what the worker started may hold that open for long.
    this.#exit = new Promise((resolve) => {
      this.#process.once("exit", (code, signal) => {
        resolve();
        this.#endGroup();
        const how = signal ? `was ended by ${signal}` : `exited with code ${code}`;
        void Promise.race([closed, delay(OUTPUT_MS, undefined, { ref: false })]).then(() => ended(how));
      });
      this.#process.once("error", (error) => {
        resolve();
        ended(`did not start: ${error.message}`);
      });
    });
    this.#process.catch(() => undefined);
  }

  get lastOutput(): readonly string[] {
    return this.#lines;
  }

  /** Waits up to `graceMs` for the process to end by itself, then ends its whole group. */
  async end(graceMs: number): Promise<void> {
    await Promise.race([this.#exit, delay(graceMs, undefined, { ref: false })]);
    this.#endGroup();
    await this.#exit;
  }

  #endGroup(): void {
    const { pid } = this.#process;
    if (pid === undefined) {
      return;
    }
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // The group is gone already.
    }
  }

  #keep(line: string, onOutput?: OnOutput): void {
    if (line.trim() === "" || HARMLESS.test(line)) {
      return;
    }
    onOutput?.(line);
    this.#lines.push(line);
    this.#lines.splice(0, Math.max(0, this.#lines.length - KEPT_LINES));
  }
}

function spawn(python: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  return execa(python, [...args], {
    env,
    detached: true,
    cleanup: false,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    buffer: false,
    reject: false,
  });
}
