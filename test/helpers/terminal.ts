import { resolve } from "node:path";
import headless from "@xterm/headless";
import { execa } from "execa";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** What stands on a terminal, scrolled off or not: one string for each line, however many rows it has. */
export interface Shown {
  readonly lines: readonly string[];
  /** How many of the lines were too wide for a row. */
  readonly broken: number;
}

/** A command in a real pseudo-terminal, with an emulator at its other end. */
export class Terminal {
  readonly #emulator: InstanceType<typeof headless.Terminal>;
  readonly #running: ReturnType<typeof start>;
  #written: Promise<void> = Promise.resolve();
  #output = "";

  constructor(
    { columns, rows }: Size,
    command: readonly string[],
    env: Readonly<Record<string, string>> = {},
    onOutput: (terminal: Terminal) => void = () => undefined,
  ) {
    this.#emulator = new headless.Terminal({ cols: columns, rows, scrollback: 10_000, allowProposedApi: true });
    this.#running = start({ columns, rows }, command, env);
    this.#running.stdout.on("data", (bytes: Buffer) => {
      this.#output += bytes.toString("latin1");
      this.#written = new Promise((written) => {
        this.#emulator.write(bytes, () => {
          written();
          onOutput(this);
        });
      });
    });
  }

  /** What was written to it, byte by byte. */
  get output(): string {
    return this.#output;
  }

  /** The rows that can be seen, from the top. */
  get screen(): string[] {
    const { viewportY } = this.#emulator.buffer.active;
    return Array.from({ length: this.#emulator.rows }, (_, row) => this.#row(viewportY + row)?.trimEnd() ?? "");
  }

  get shown(): Shown {
    const { length } = this.#emulator.buffer.active;
    const lines: string[] = [];
    let broken = 0;
    for (let row = 0; row < length; row += 1) {
      const text = this.#row(row) ?? "";
      if (this.#emulator.buffer.active.getLine(row)?.isWrapped) {
        lines.push(`${lines.pop()}${text}`);
        broken += 1;
      } else {
        lines.push(text);
      }
    }
    return { lines: lines.map((line) => line.trimEnd()), broken };
  }

  resize({ columns, rows }: Size): void {
    this.#emulator.resize(columns, rows);
    this.#running.stdin.write(`${columns} ${rows}\n`);
  }

  /** Waits for the command to end; its exit code. */
  async end(): Promise<number | undefined> {
    const { exitCode } = await this.#running;
    await this.#written;
    return exitCode;
  }

  #row(row: number): string | undefined {
    return this.#emulator.buffer.active.getLine(row)?.translateToString(false);
  }
}

function start({ columns, rows }: Size, command: readonly string[], env: Readonly<Record<string, string>>) {
  return execa("python3", [resolve("test/python/in_terminal.py"), `${columns}`, `${rows}`, ...command], {
    env: { TERM: "xterm-256color", NO_COLOR: "", ...env },
    stdin: "pipe",
    stdout: "pipe",
    encoding: "buffer",
    buffer: false,
    reject: false,
  });
}
