import { requireOptional } from "../optional-package.js";
import type { Channel, ChannelEvents } from "./channel.js";
import { whyNotOpened } from "./embedded-channel.js";
import { withEnvironment } from "./environment.js";
import { pythonPath } from "./installation.js";

const PYTHONIA = { name: "pythonia", neededBy: "The channel pythonia", otherwise: "Or use the channel zeromq." };
const POLL_SECONDS = 0.05;
/** pythonia's own deadline for one call; ours are kept above the channel. */
const CALL_MS = 60_000;

/** What of pythonia is used; its own types say `any`. */
interface Pythonia {
  python: ((module: string) => Promise<unknown>) & { exit(): void };
}
interface EmbeddedModule {
  open_worker$(executable: string, version: string, sites: string[], options: object): Promise<number>;
  send$(handle: number, text: string, options: object): Promise<unknown>;
  receive$(handle: number, seconds: number, options: object): Promise<string>;
  close_worker$(handle: number, options: object): Promise<unknown>;
}

/** A worker in pythonia's child process, over pythonia's own bridge. One at a time: pythonia has one child. */
export class PythoniaChannel implements Channel {
  readonly name = "pythonia";
  #module: EmbeddedModule | null = null;
  #handle: number | null = null;
  #polling: Promise<void> | null = null;
  #exit: (() => void) | null = null;
  #closed = false;

  constructor(private readonly executable: string) {}

  async open(events: ChannelEvents): Promise<void> {
    const environment = {
      PYTHON_BIN: this.executable,
      PYTHONPATH: pythonPath(),
      // Its child is a script that imports from the script's own folder.
      PYTHONSAFEPATH: undefined,
    };
    // pythonia starts its child when it is loaded, with the environment of that moment.
    const { python } = withEnvironment(environment, () => requireOptional(PYTHONIA) as Pythonia);
    this.#exit = () => python.exit();
    this.#module = (await python("familyseer.embedded")) as EmbeddedModule;
    try {
      this.#handle = await this.#module.open_worker$("", "", [], { $timeout: CALL_MS });
    } catch (error) {
      throw whyNotOpened(error);
    }
    this.#polling = this.#poll(this.#module, this.#handle, events);
  }

  async send(message: Uint8Array): Promise<void> {
    if (!this.#closed && this.#handle !== null) {
      await this.#module?.send$(this.#handle, Buffer.from(message).toString("base64"), { $timeout: CALL_MS });
    }
  }

  async close(): Promise<void> {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    await this.#polling;
    if (this.#handle !== null) {
      await this.#module?.close_worker$(this.#handle, { $timeout: CALL_MS });
    }
    this.#exit?.();
  }

  async #poll(module: EmbeddedModule, handle: number, events: ChannelEvents): Promise<void> {
    while (!this.#closed) {
      try {
        const text = await module.receive$(handle, POLL_SECONDS, { $timeout: CALL_MS });
        if (text !== "") {
          events.message(Buffer.from(text, "base64"));
        }
      } catch (error) {
        if (!this.#closed) {
          events.lost(`pythonia's Python failed: ${String(error)}.`, []);
        }
        return;
      }
    }
  }
}
