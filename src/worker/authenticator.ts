import { type Context, Reply } from "zeromq";
import { z85 } from "./curve.js";

/** Where ZeroMQ asks, within the context that its sockets are in (ZAP, RFC 27). */
const ZAP = "inproc://zeromq.zap.01";

/**
 * Answers ZeroMQ, for every connection to a CURVE socket of its context, whether the peer is let in: only with one of the
 * keys in `clients`. It is asked during the handshake, before any message of the peer is read.
 */
export class Authenticator {
  readonly #socket: Reply;

  constructor(
    context: Context,
    private readonly clients: readonly string[],
  ) {
    this.#socket = new Reply({ context, linger: 0 });
  }

  /** Has to be done before the sockets it answers for are bound. */
  async open(): Promise<void> {
    await this.#socket.bind(ZAP);
    // Ends when the socket is closed. Whoever comes when nobody answers stays outside.
    this.#answer().catch(() => undefined);
  }

  close(): void {
    this.#socket.close();
  }

  async #answer(): Promise<void> {
    for await (const [version, id, , , , mechanism, key] of this.#socket) {
      const known =
        String(version) === "1.0" && String(mechanism) === "CURVE" && key && this.clients.includes(z85(key));
      const verdict = known ? ["200", "OK"] : ["400", "This key is not let in"];
      await this.#socket.send(["1.0", id ?? "", ...verdict, "", ""]);
    }
  }
}
