import { rmSync } from "node:fs";
import { chmod, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Router } from "zeromq";
import { InvalidRequestError } from "../errors.js";
import type { Channel, ChannelEvents } from "./channel.js";

const LOOPBACK = /^tcp:\/\/(127\.0\.0\.1|localhost|\[::1\]):(\d+|\*)$/;

/** The process at the other end. */
export interface Peer {
  /** What it printed last, where that can be had. */
  readonly lastOutput: readonly string[];
  /** Ends it, by force after `graceMs`. */
  end(graceMs: number): Promise<void>;
}

/** Makes the process that connects to an endpoint, or finds it; `ended` is called when it is gone. */
export type StartPeer = (endpoint: string, ended: (reason: string) => void) => Peer;

/** A peer that connects to a ROUTER here; over `ipc` in a folder of its own unless `endpoint` says otherwise. */
export class ZeroMqChannel implements Channel {
  readonly name = "zeromq";
  readonly #router = new Router({ linger: 500, mandatory: true });
  #process: Peer | null = null;
  #folder: string | null = null;
  #peer: Buffer | null = null;
  #closed = false;
  readonly #removeFolder = () => this.#folder && rmSync(this.#folder, { recursive: true, force: true });

  constructor(
    private readonly startPeer: StartPeer,
    private readonly endpoint?: string,
  ) {}

  async open(events: ChannelEvents): Promise<void> {
    const endpoint = await this.#bind();
    this.#process = this.startPeer(endpoint, (reason) => {
      if (!this.#closed) {
        events.lost(`The worker process ${reason}.`, this.#process?.lastOutput ?? []);
      }
    });
    void this.#deliver(events);
  }

  async send(message: Uint8Array): Promise<void> {
    if (this.#peer && !this.#closed) {
      await this.#router.send([this.#peer, message]);
    }
  }

  async close(graceMs: number): Promise<void> {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    await this.#process?.end(graceMs);
    this.#router.close();
    this.#removeFolder();
    process.off("exit", this.#removeFolder);
  }

  async #bind(): Promise<string> {
    if (this.endpoint === undefined) {
      this.#folder = await mkdtemp(join(tmpdir(), "familyseer-"));
      await chmod(this.#folder, 0o700);
      // A process that exits at once, as on a second Ctrl-C, does not get to close().
      process.on("exit", this.#removeFolder);
      const endpoint = `ipc://${this.#folder}/worker`;
      await this.#router.bind(endpoint);
      return endpoint;
    }
    if (!this.endpoint.startsWith("ipc://") && !LOOPBACK.test(this.endpoint)) {
      throw new InvalidRequestError(
        `The endpoint ${this.endpoint} is not on this machine. Expected ipc://PATH or tcp://127.0.0.1:PORT.`,
      );
    }
    try {
      await this.#router.bind(this.endpoint);
    } catch (error) {
      this.#router.close();
      this.#closed = true;
      throw new InvalidRequestError(
        `Cannot listen on ${this.endpoint}: ${error instanceof Error ? error.message : String(error)}. ` +
          "Another process has it; choose another port, or leave --endpoint out.",
      );
    }
    return this.#router.lastEndpoint ?? this.endpoint;
  }

  async #deliver(events: ChannelEvents): Promise<void> {
    try {
      for await (const [peer, message] of this.#router) {
        // One channel, one worker: whoever connects later is not listened to.
        this.#peer ??= peer ?? null;
        if (peer && message && this.#peer?.equals(peer)) {
          events.message(message);
        }
      }
    } catch (error) {
      if (!this.#closed) {
        events.lost(`Receiving failed: ${String(error)}.`, this.#process?.lastOutput ?? []);
      }
    }
  }
}
