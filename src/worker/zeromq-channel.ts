import { chmod } from "node:fs/promises";
import { context, Router } from "zeromq";
import { InvalidRequestError } from "../errors.js";
import { LIMITS } from "../protocol/limits.js";
import { Authenticator, curveContext } from "./authenticator.js";
import type { Channel, ChannelEvents } from "./channel.js";
import { type ClientKeys, makeKeys, type ServerKeys } from "./curve.js";
import { JobFolder, LONGEST_SOCKET } from "./job-folder.js";

const IPC = "ipc://";
const TCP = /^tcp:\/\/.+:(\d+|\*)$/;
const LOOPBACK = /^tcp:\/\/(127\.0\.0\.1|localhost|\[::1\]):(\d+|\*)$/;
/** A peer that has not shown its key by then is cut off. */
const HANDSHAKE_MS = 5_000;

/** The process at the other end. */
export interface Peer {
  /** What it printed last, where that can be had. */
  readonly lastOutput: readonly string[];
  /** Ends it, by force after `graceMs`. */
  end(graceMs: number): Promise<void>;
}

/** Where a peer connects to, and with which keys; none over `ipc`. */
export interface Address {
  readonly endpoint: string;
  readonly keys: ClientKeys | null;
  /** For the temporary files of one that is started here; null for one that has its own. */
  readonly folder: string | null;
}

/** Makes the process that connects to an address, or finds it; `ended` is called when it is gone. */
export type StartPeer = (address: Address, ended: (reason: string) => void) => Peer;

/**
 * A peer that connects to a ROUTER here; over `ipc` in a folder of its own unless `endpoint` says otherwise. Over `tcp`
 * everything is encrypted, and only a peer with the right key gets as far as sending a message: one of `keys`, or, on
 * loopback, of a pair made for the peer that is started here.
 */
export class ZeroMqChannel implements Channel {
  readonly name = "zeromq";
  readonly #router: Router;
  #authenticator: Authenticator | null = null;
  #process: Peer | null = null;
  #folder: JobFolder | null = null;
  #peer: Buffer | null = null;
  #closed = false;
  #sent: Promise<void> = Promise.resolve();

  constructor(
    private readonly startPeer: StartPeer,
    private readonly endpoint?: string,
    private readonly keys?: ServerKeys,
  ) {
    this.#router = new Router({
      context: endpoint?.startsWith("tcp:") ? curveContext : context,
      linger: 500,
      mandatory: true,
      maxMessageSize: LIMITS.message_bytes,
      sendHighWaterMark: LIMITS.requests,
      receiveHighWaterMark: LIMITS.requests,
      handshakeInterval: HANDSHAKE_MS,
    });
  }

  async open(events: ChannelEvents): Promise<void> {
    // Whoever names a socket of theirs, or keys, starts the peer, too, in a place of its own.
    const foreign = this.keys !== undefined || this.endpoint?.startsWith(IPC);
    this.#folder = foreign ? null : await JobFolder.make();
    const address = { ...(await this.#bind()), folder: this.#folder?.path ?? null };
    this.#process = this.startPeer(address, (reason) => {
      if (!this.#closed) {
        events.lost(`The worker process ${reason}.`, this.#process?.lastOutput ?? []);
      }
    });
    void this.#deliver(events);
  }

  /** Waits while the peer's connection is down. What one that is ending does not get is lost; that it ended is told by `lost`. */
  async send(message: Uint8Array): Promise<void> {
    // The socket takes one message at a time.
    const sent = this.#sent.then(() => this.#sendNow(message));
    this.#sent = sent.catch(() => undefined);
    await sent;
  }

  async close(graceMs: number): Promise<void> {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    await this.#process?.end(graceMs);
    await this.#closeSockets();
  }

  async #sendNow(message: Uint8Array): Promise<void> {
    if (this.#peer && !this.#closed) {
      await this.#router.send([this.#peer, message]).catch(unlessUnreachable);
    }
  }

  async #bind(): Promise<Omit<Address, "folder">> {
    if (this.endpoint === undefined && this.#folder) {
      const endpoint = `${IPC}${this.#folder.socket}`;
      await this.#router.bind(endpoint);
      return { endpoint, keys: null };
    }
    try {
      const endpoint = checkEndpoint(this.endpoint, this.keys);
      const keys = endpoint.startsWith(IPC) ? null : await this.#secure();
      await this.#listen(endpoint);
      return { endpoint: this.#router.lastEndpoint ?? endpoint, keys };
    } catch (error) {
      this.#closed = true;
      await this.#closeSockets();
      throw error;
    }
  }

  /** From here on only peers with the right key get in. Gives the keys of the one that is started here. */
  async #secure(): Promise<ClientKeys | null> {
    const made = this.keys ? null : makeKeys();
    const { publicKey, secretKey, clients } = this.keys ?? (made as NonNullable<typeof made>).server;
    this.#authenticator = new Authenticator(clients);
    await this.#authenticator.open();
    this.#router.curveServer = true;
    this.#router.curvePublicKey = publicKey;
    this.#router.curveSecretKey = secretKey;
    this.#router.zapDomain = this.#authenticator.domain;
    // Without one who answers nobody is let in.
    this.#router.zapEnforceDomain = true;
    return made?.client ?? null;
  }

  async #listen(endpoint: string): Promise<void> {
    try {
      await this.#router.bind(endpoint);
      if (endpoint.startsWith(IPC)) {
        await chmod(endpoint.slice(IPC.length), 0o600);
      }
    } catch (error) {
      throw new InvalidRequestError(
        `Cannot listen on ${endpoint}: ${error instanceof Error ? error.message : String(error)}. ` +
          "Another process has it; choose another port, or leave --endpoint out.",
      );
    }
  }

  async #closeSockets(): Promise<void> {
    this.#router.close();
    this.#authenticator?.close();
    await this.#folder?.remove();
  }

  async #deliver(events: ChannelEvents): Promise<void> {
    try {
      for await (const [peer, ...frames] of this.#router) {
        // One channel, one worker: whoever connects later is not listened to.
        this.#peer ??= peer ?? null;
        if (peer && this.#peer?.equals(peer)) {
          events.message(Buffer.concat(frames));
        }
      }
    } catch (error) {
      if (!this.#closed) {
        events.lost(`Receiving failed: ${String(error)}.`, this.#process?.lastOutput ?? []);
      }
    }
  }
}

function unlessUnreachable(error: NodeJS.ErrnoException): void {
  if (error.code !== "EHOSTUNREACH") {
    throw error;
  }
}

/** @throws InvalidRequestError for an endpoint that is none, or that keys are missing for. */
function checkEndpoint(endpoint: string | undefined, keys: ServerKeys | undefined): string {
  if (endpoint === undefined || (keys && !TCP.test(endpoint))) {
    throw new InvalidRequestError(
      `Keys are for a worker that connects over tcp, not to ${endpoint ?? "this process"}. Expected --endpoint tcp://ADDRESS:PORT beside --keys.`,
    );
  }
  if (endpoint.startsWith(IPC) && Buffer.byteLength(endpoint) > IPC.length + LONGEST_SOCKET) {
    throw new InvalidRequestError(
      `The endpoint ${endpoint} is too long: a socket's path may have ${LONGEST_SOCKET} bytes. Choose a shorter one.`,
    );
  }
  if (!keys && !endpoint.startsWith(IPC) && !LOOPBACK.test(endpoint)) {
    throw new InvalidRequestError(
      `The endpoint ${endpoint} is not on this machine, and there are no keys. Expected ipc://PATH or ` +
        "tcp://127.0.0.1:PORT; for others, --keys with keys that `familyseer keys` made.",
    );
  }
  return endpoint;
}
