import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { InvalidRequestError } from "../errors.js";

/** What is answered to a GET. */
export interface Answer {
  readonly status: number;
  /** Of the content. */
  readonly type: string;
  readonly content: string | Buffer;
  /** A content security policy; without one the content may do nothing at all. */
  readonly policy?: string;
}

/** @param path with the query, as requested */
export type Answering = (path: string) => Promise<Answer>;

const ADDRESS = "127.0.0.1";
/** A browser opens six; each may hold one answer in memory. */
const MOST_CONNECTIONS = 24;
/** For a request to arrive, and for an answer to be taken. */
const DEADLINE_MS = 10_000;
/** Nothing is kept, guessed at, shown in another page or told to another server. */
const HEADERS = {
  "X-Content-Type-Options": "nosniff",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-store",
};
/** What a browser says of a request that no other site made. */
const SAME_SITE: ReadonlySet<unknown> = new Set([undefined, "none", "same-origin"]);

/**
 * Answers GETs of this machine's own browsers, and keeps no process alive.
 *
 * It listens on loopback alone. A page from elsewhere can still make a browser on this machine send requests here, by a
 * link, or by a name of its own that it lets point here (DNS rebinding); so only requests are answered that name this
 * server as their host, and whose origin, where a browser tells it, is this server's pages.
 */
export class LiveServer {
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {
    server.on("connection", (socket) => {
      this.#sockets.add(socket.unref());
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  /**
   * @param port 0 for a free one
   * @throws InvalidRequestError if the port cannot be had
   */
  static async listen(port: number, answer: Answering, deadlineMs = DEADLINE_MS): Promise<LiveServer> {
    const settings = {
      maxHeaderSize: 8192,
      headersTimeout: deadlineMs,
      requestTimeout: deadlineMs,
      keepAliveTimeout: deadlineMs,
      connectionsCheckingInterval: deadlineMs / 4,
    };
    const server = createServer(settings);
    server.maxConnections = MOST_CONNECTIONS;
    server.setTimeout(deadlineMs);
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) =>
        reject(
          new InvalidRequestError(
            `The page cannot be served on ${ADDRESS}:${port} (${error.code}). Name another port, or none for a free one.`,
          ),
        ),
      );
      server.listen(port, ADDRESS, resolve);
    });
    server.unref();
    const address = server.address();
    const bound = typeof address === "object" && address ? address.port : port;
    const hosts = hostsOf(bound);
    server.on("request", (request, response) => {
      // A slow reader does not hold its answer for long.
      const tooLong = setTimeout(() => response.destroy(), deadlineMs).unref();
      response.once("close", () => clearTimeout(tooLong));
      respond(request, response, hosts, answer).catch(() => response.destroy());
    });
    return new LiveServer(server, bound);
  }

  /** Once nobody is connected, or after so long, when all connections are ended. */
  async close(graceMs = 0): Promise<void> {
    const quiet = new AbortController();
    await Promise.race([this.#quiet(), sleep(graceMs, null, { signal: quiet.signal }).catch(() => null)]);
    quiet.abort();
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  async #quiet(): Promise<void> {
    for (const socket of this.#sockets) {
      await new Promise((resolve) => socket.once("close", resolve));
    }
  }
}

/** What a browser calls this server. It leaves port 80 out. */
function hostsOf(port: number): ReadonlySet<string> {
  return new Set([ADDRESS, "localhost", "[::1]"].map((name) => new URL(`http://${name}:${port}`).host));
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  hosts: ReadonlySet<string>,
  answer: Answering,
): Promise<void> {
  const { status, type, content, policy } = refusal(request, hosts) ?? (await answer(request.url ?? ""));
  response.statusCode = status;
  for (const [name, value] of Object.entries({ ...HEADERS, "Content-Type": type })) {
    response.setHeader(name, value);
  }
  response.setHeader("Content-Security-Policy", `${policy ?? "default-src 'none'"}; frame-ancestors 'none'`);
  if (status === 405) {
    response.setHeader("Allow", "GET");
  }
  response.end(content);
}

function refusal({ method, headers }: IncomingMessage, hosts: ReadonlySet<string>): Answer | null {
  const { host = "", origin } = headers;
  const ours = hosts.has(host.toLowerCase());
  if (!ours || (origin !== undefined && origin !== `http://${host}`) || !SAME_SITE.has(headers["sec-fetch-site"])) {
    return text(403, "Refused: this page is for browsers on its own machine, by the address that the job printed.");
  }
  return method === "GET" ? null : text(405, "Only GET is answered.");
}

export function text(status: number, content: string): Answer {
  return { status, type: "text/plain; charset=utf-8", content: content === "" ? "" : `${content}\n` };
}
