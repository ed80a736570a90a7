import { execa } from "execa";
import { InstallationError } from "../errors.js";
import { requireOptional } from "../optional-package.js";
import type { Channel, ChannelEvents } from "./channel.js";
import { withEnvironment } from "./environment.js";
import { pythonFolder, pythonPath } from "./installation.js";

const NODE_CALLS_PYTHON = {
  name: "node-calls-python",
  neededBy: "The channel node-calls-python",
  otherwise:
    "It is compiled then, by a C++ compiler with Python's headers (apt install build-essential python3-dev). " +
    "Or use the channel zeromq.",
};
/** How long one poll waits inside Python for a message. */
const POLL_SECONDS = 0.05;

/** What of node-calls-python is used; its own types say `any`. */
interface Interpreter {
  importSync(file: string): unknown;
  callSync(module: unknown, name: string, ...args: unknown[]): unknown;
  call(module: unknown, name: string, ...args: unknown[]): Promise<unknown>;
  addImportPath(path: string): void;
}

/**
 * A worker inside this Node process (node-calls-python): no second process, and so no protection from one that
 * crashes. The embedded interpreter is the one the addon was built with; the packages are those of `python`.
 */
export class EmbeddedChannel implements Channel {
  readonly name = "node-calls-python";
  #interpreter: Interpreter | null = null;
  #module: unknown = null;
  #handle: unknown = null;
  #polling: Promise<void> | null = null;
  #closed = false;

  constructor(private readonly python: string) {}

  async open(events: ChannelEvents): Promise<void> {
    // The interpreter begins when it is loaded, and reads this then.
    const loaded = withEnvironment({ PYTHONPATH: pythonPath([]) || undefined }, () =>
      requireOptional(NODE_CALLS_PYTHON),
    ) as { interpreter: Interpreter };
    this.#interpreter = loaded.interpreter;
    const [executable = "", version = "", ...sites] = await askPython(this.python);
    this.#interpreter.addImportPath(pythonFolder);
    this.#module = this.#interpreter.importSync(`${pythonFolder}/familyseer/embedded.py`);
    try {
      this.#handle = this.#interpreter.callSync(this.#module, "open_worker", executable, version, sites);
    } catch (error) {
      throw whyNotOpened(error);
    }
    this.#polling = this.#poll(this.#interpreter, events);
  }

  async send(message: Uint8Array): Promise<void> {
    if (!this.#closed) {
      const text = Buffer.from(message).toString("base64");
      await this.#interpreter?.call(this.#module, "send", this.#handle, text);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    await this.#polling;
    if (this.#handle !== null) {
      await this.#interpreter?.call(this.#module, "close_worker", this.#handle);
    }
  }

  async #poll(interpreter: Interpreter, events: ChannelEvents): Promise<void> {
    while (!this.#closed) {
      try {
        const text = await interpreter.call(this.#module, "receive", this.#handle, POLL_SECONDS);
        if (typeof text === "string" && text !== "") {
          events.message(Buffer.from(text, "base64"));
        }
      } catch (error) {
        events.lost(`The embedded Python failed: ${String(error)}.`, []);
        return;
      }
    }
  }
}

/** A Python's executable, its version and its folders of packages. */
async function askPython(python: string): Promise<string[]> {
  const asked = await execa(
    python,
    [
      "-c",
      "import site, sys; print(sys.executable); print(*sys.version_info[:2], sep='.'); print(*site.getsitepackages(), sep='\\n')",
    ],
    { env: { PYTHONPATH: pythonPath([]) }, lines: true, reject: false },
  );
  if (asked.exitCode !== 0) {
    throw new InstallationError(
      `${python} does not run as Python: ${asked.shortMessage ?? ""}. Name one that has TVM.`,
    );
  }
  return asked.stdout;
}

/** What `open_worker` says is missing; what else went wrong, as it is. */
export function whyNotOpened(error: unknown): unknown {
  const said = /RuntimeError: (.*)/.exec(
    error instanceof Error ? `${error.message}\n${error.stack}` : String(error),
  )?.[1];
  return said === undefined ? error : new InstallationError(`The worker could not start: ${said}`);
}
