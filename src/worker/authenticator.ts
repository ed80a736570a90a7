import { randomUUID } from "node:crypto";
import { Context, Reply } from "zeromq";
import { z85 } from "./curve.js";

/** Where ZeroMQ asks, within the context that its sockets are in (ZAP, RFC 27). */
const ZAP = "inproc://zeromq.zap.01";
/** How long the last question may be waited for after there is nobody left to answer for. */
const IDLE_MS = 500;

/** The context of all sockets that are answered for: ZeroMQ has one who answers in each, and frees none before its end. */
export const curveContext = new Context();

/** Public keys, by the domain of the socket they are let in to. */
const admitted = new Map<string, readonly string[]>();
let socket: Promise<Reply> | null = null;
let answering = false;

/**
 * Answers ZeroMQ, for every connection to a CURVE socket of `curveContext` with this domain, whether the peer is let in:
 * only with one of the keys in `clients`. It is asked during the handshake, before any message of the peer is read.
 */
export class Authenticator {
  readonly domain = randomUUID();

  constructor(private readonly clients: readonly string[]) {}

  async open(): Promise<void> {
    admitted.set(this.domain, this.clients);
    socket ??= listen();
    const questions = await socket;
    if (!answering) {
      answering = true;
      void answer(questions);
    }
  }

  close(): void {
    admitted.delete(this.domain);
  }
}

async function listen(): Promise<Reply> {
  const reply = new Reply({ context: curveContext, linger: 0, receiveTimeout: IDLE_MS });
  await reply.bind(ZAP);
  return reply;
}

/** Ends when there is nobody left to answer for, so that this process can. */
async function answer(questions: Reply): Promise<void> {
  while (admitted.size > 0) {
    const question = await questions.receive().catch(() => null);
    if (question) {
      const [version, id, domain, , , mechanism, key] = question;
      const curve = String(version) === "1.0" && String(mechanism) === "CURVE";
      const known = curve && key && admitted.get(String(domain))?.includes(z85(key));
      const verdict = known ? ["200", "OK"] : ["400", "This key is not let in"];
      await questions.send(["1.0", id ?? "", ...verdict, "", ""]);
    }
  }
  answering = false;
}
