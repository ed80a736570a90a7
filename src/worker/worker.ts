import { setTimeout as delay } from "node:timers/promises";
import {
  CancelledError,
  DeadlineError,
  InvalidRequestError,
  ProtocolError,
  WorkerFailureError,
  WorkerLostError,
} from "../errors.js";
import { decode, encode, whatIsWrong } from "../protocol/codec.js";
import { LIMITS, PROTOCOL_VERSION } from "../protocol/limits.js";
import type { FromWorker, ToWorker } from "../protocol/messages.js";
import { type OperationName, operations, type Params, type Result } from "../protocol/operations/index.js";
import type { MeasuredEvent } from "../protocol/operations/measure.js";
import type { Channel } from "./channel.js";
import { ended, mute, SILENCE_MS, silent, unreachable } from "./lost-worker.js";

/** Importing TVM takes 2 to 3 s, on a busy machine more. */
const HANDSHAKE_MS = 60_000;
const CLOSE_GRACE_MS = 3_000;

export interface RequestOptions {
  /** The operation's own if left out. */
  readonly deadlineMs?: number;
  /**
   * Asks the worker to end the request early, which still settles by the worker's answer. One without a signal of its own is
   * abandoned as soon as the worker's aborts.
   */
  readonly signal?: AbortSignal | undefined;
  readonly onMeasured?: (event: MeasuredEvent) => void;
}

/** From when to when, in seconds of this process's clock. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

interface Pending {
  resolve(value: Record<string, unknown>): void;
  reject(error: Error): void;
  readonly onMeasured: ((event: MeasuredEvent) => void) | undefined;
}

/** One worker: the handshake, the requests that wait for an answer, and the watch over its heartbeats. */
export class Worker {
  readonly #pending = new Map<number, Pending>();
  #nextId = 0;
  readonly #busy: Span[] = [];
  #hello: Extract<FromWorker, { type: "hello" }> | null = null;
  #shake: { resolve(): void; reject(error: Error): void } | null = null;
  #silence: NodeJS.Timeout | null = null;
  #lost: Error | null = null;
  /** Requests that nobody waits for any more; the worker may still be at them. */
  readonly #abandoned = new Set<number>();

  private constructor(
    private readonly channel: Channel,
    private readonly handshakeMs: number,
    private readonly stopping: AbortSignal | undefined,
  ) {}

  /**
   * Starts a worker and shakes hands with it. Nobody waits any longer for it to start, or to answer, once `stopping` aborts.
   *
   * @throws ProtocolError for a worker of another protocol version; WorkerLostError if it ends; DeadlineError if it
   * says nothing; CancelledError.
   */
  static async start(channel: Channel, handshakeMs = HANDSHAKE_MS, stopping?: AbortSignal): Promise<Worker> {
    const worker = new Worker(channel, handshakeMs, stopping);
    const stop = () => worker.#lose(new CancelledError("The worker's start was cancelled."));
    try {
      if (stopping?.aborted) {
        throw new CancelledError("The worker was cancelled before it was started.");
      }
      stopping?.addEventListener("abort", stop);
      await worker.#open();
    } catch (error) {
      await channel.close(0);
      throw error;
    } finally {
      stopping?.removeEventListener("abort", stop);
    }
    return worker;
  }

  get tvmVersion(): string {
    return this.#hello?.tvm_version ?? "";
  }

  /** What searches there, `ansor` or `metaschedule`: what its TVM has. */
  get tuner(): string {
    return this.#hello?.tuner ?? "";
  }

  get pythonVersion(): string {
    return this.#hello?.python_version ?? "";
  }

  /**
   * When the worker was at each request so far; one may be measured while another is searched. All the rest of the time is
   * this side's and the channel's.
   */
  get busy(): readonly Span[] {
    return this.#busy;
  }

  get pid(): number {
    return this.#hello?.pid ?? 0;
  }

  /**
   * Asks for one operation.
   *
   * @throws InvalidRequestError, WorkerFailureError: what the worker answered; DeadlineError; WorkerLostError;
   * CancelledError if `signal` was aborted before the request was sent, or the request is abandoned.
   */
  async request<O extends OperationName>(
    operation: O,
    params: Params<O>,
    { deadlineMs = operations[operation].deadlineMs, signal, onMeasured }: RequestOptions = {},
  ): Promise<Result<O>> {
    if (this.#lost) {
      throw this.#lost;
    }
    const { stopping } = this;
    if ((signal ?? stopping)?.aborted) {
      throw new CancelledError(`${operation} was cancelled before it was sent.`);
    }
    if (this.#pending.size >= LIMITS.requests) {
      throw new InvalidRequestError(
        `${LIMITS.requests} requests wait for the worker; ${operation} has to wait for them.`,
      );
    }
    const id = this.#nextId;
    this.#nextId += 1;
    let deadline: NodeJS.Timeout | undefined;
    const cancel = () => this.#tell({ type: "cancel", id });
    const abandon = () => {
      this.#abandoned.add(id);
      this.#pending.get(id)?.reject(new CancelledError(`${operation} was cancelled.`));
    };
    try {
      const answer = new Promise<Record<string, unknown>>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject, onMeasured });
        deadline = setTimeout(() => {
          cancel();
          reject(new DeadlineError(`The worker did not answer ${operation} within ${deadlineMs / 1000} s.`));
        }, deadlineMs);
      });
      if (signal) {
        signal.addEventListener("abort", cancel, { once: true });
      } else {
        stopping?.addEventListener("abort", abandon, { once: true });
      }
      await Promise.race([this.channel.send(encode({ type: "request", id, operation, params })), answer]);
      const value = operations[operation].result.safeParse(await answer);
      if (!value.success) {
        throw new ProtocolError(`The worker's answer to ${operation} is not one:\n${whatIsWrong(value.error)}`);
      }
      return value.data as Result<O>;
    } finally {
      clearTimeout(deadline);
      signal?.removeEventListener("abort", cancel);
      stopping?.removeEventListener("abort", abandon);
      this.#pending.delete(id);
    }
  }

  /** Tells the worker why there will be no more requests. */
  async refuse(error: Error): Promise<void> {
    const kind = error instanceof InvalidRequestError ? "invalid-request" : "error";
    await this.channel.send(encode({ type: "refuse", kind, reason: error.message }));
  }

  /**
   * Ends the worker: a message, some grace, then by force. With `force` at once, and so where it is at what was abandoned: it
   * would not come to the message in that time.
   */
  async close(force = this.#abandoned.size > 0): Promise<void> {
    this.#stopWatching();
    const gone = this.#lost !== null;
    this.#lost ??= new WorkerLostError("The worker was closed.");
    if (!force && !gone) {
      const goodbye = this.channel.send(encode({ type: "shutdown" })).catch(() => undefined);
      // One that ended a moment ago never takes it.
      await Promise.race([goodbye, delay(CLOSE_GRACE_MS, undefined, { ref: false })]);
    }
    await this.channel.close(force || gone ? 0 : CLOSE_GRACE_MS);
    this.#failAll(this.#lost);
  }

  async #open(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const shaken = new Promise<void>((resolve, reject) => {
      this.#shake = { resolve, reject };
      timer = setTimeout(() => reject(mute(this.handshakeMs)), this.handshakeMs);
    });
    shaken.catch(() => undefined);
    try {
      await this.channel.open({
        message: (bytes) => this.#receive(bytes),
        lost: (reason, lastOutput) => this.#lose(ended(reason, lastOutput, this.#hello !== null)),
      });
      await shaken;
    } finally {
      clearTimeout(timer);
    }
  }

  #receive(bytes: Uint8Array): void {
    if (this.#lost) {
      return;
    }
    let message: FromWorker;
    try {
      message = decode(bytes);
    } catch (error) {
      this.#lose(error as ProtocolError);
      return;
    }
    this.#watch();
    switch (message.type) {
      case "hello":
        this.#greet(message);
        break;
      case "heartbeat":
        break;
      case "progress":
        this.#pending.get(message.id)?.onMeasured?.(message.event);
        break;
      case "result":
        this.#answer(message);
        break;
      case "failure":
        this.#abandoned.delete(message.id);
        this.#pending.get(message.id)?.reject(failureOf(message));
        break;
    }
  }

  /** An answer to what nobody asked, or waits for any more, is left. */
  #answer({ id, value, seconds }: Extract<FromWorker, { type: "result" }>): void {
    this.#abandoned.delete(id);
    const pending = this.#pending.get(id);
    if (pending) {
      this.#pending.delete(id);
      this.#noteBusy(seconds);
      pending.resolve(value);
    }
  }

  #noteBusy(seconds: number): void {
    const to = performance.now() / 1000;
    this.#busy.push({ from: to - seconds, to });
  }

  #greet(hello: Extract<FromWorker, { type: "hello" }>): void {
    if (hello.protocol !== PROTOCOL_VERSION) {
      const reason =
        `The worker speaks protocol version ${hello.protocol}, this side version ${PROTOCOL_VERSION}. ` +
        "Install the same version of familyseer on both sides.";
      this.#tell({ type: "refuse", kind: "invalid-request", reason });
      this.#lose(new InvalidRequestError(reason));
      return;
    }
    if (this.#hello) {
      this.#lose(new ProtocolError("The worker said hello twice."));
      return;
    }
    this.#hello = hello;
    this.#tell({ type: "welcome" });
    this.#shake?.resolve();
  }

  /** Sends what nothing waits for. */
  #tell(message: ToWorker): void {
    this.channel.send(encode(message)).catch((error: unknown) => {
      this.#lose(unreachable(error));
    });
  }

  #watch(): void {
    clearTimeout(this.#silence ?? undefined);
    this.#silence = this.#lost ? null : setTimeout(() => this.#lose(silent()), SILENCE_MS);
  }

  #stopWatching(): void {
    clearTimeout(this.#silence ?? undefined);
    this.#silence = null;
  }

  #lose(error: Error): void {
    this.#stopWatching();
    this.#lost ??= error;
    this.#shake?.reject(this.#lost);
    this.#failAll(this.#lost);
  }

  #failAll(error: Error): void {
    for (const pending of this.#pending.values()) {
      pending.reject(error);
    }
  }
}

function failureOf(failure: Extract<FromWorker, { type: "failure" }>): Error {
  return failure.kind === "invalid-request"
    ? new InvalidRequestError(failure.message)
    : new WorkerFailureError(failure.message);
}
