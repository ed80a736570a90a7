import { setImmediate } from "node:timers/promises";
import { pack } from "msgpackr/pack";
import { Dealer } from "zeromq";
import { FamilySeerError } from "../../src/errors.js";
import { PROTOCOL_VERSION } from "../../src/protocol/limits.js";
import { OPERATION_NAMES, type OperationName } from "../../src/protocol/operations/index.js";
import { protocolSchema } from "../../src/protocol/schema.js";
import type { Channel, ChannelEvents } from "../../src/worker/channel.js";
import { Worker } from "../../src/worker/worker.js";
import { type StartPeer, ZeroMqChannel } from "../../src/worker/zeromq-channel.js";
import { Frames, type Schema } from "./frames.js";
import { Tally } from "./tally.js";

const HELLO = pack({
  type: "hello",
  protocol: PROTOCOL_VERSION,
  tvm_version: "",
  tuner: "",
  python_version: "",
  pid: 1,
});
const DEADLINE_MS = 600_000;

/** Feeds messages, most of them none, to a `Worker` as its channel would. */
export async function fuzzOrchestrator(messages: number, seed: number): Promise<Tally> {
  const frames = fromWorkers(seed);
  const tally = new Tally("orchestrator, in one process");
  let session = await Session.open();
  for (let index = 0; index < messages; index += 1) {
    const bytes = frames.next();
    tally.time(() => session.channel.deliver(bytes));
    // Answers are looked at, and errors told, before the next message.
    await setImmediate();
    tally.count(session.errors);
    if (session.errors.length > 0 || session.answered) {
      await session.close();
      session = await Session.open();
    }
    tally.measureGrowth(index, messages);
  }
  await session.close();
  return tally;
}

/** The same over a real socket, from a peer that is another. */
export async function fuzzOrchestratorSocket(sessions: number, seed: number): Promise<Tally> {
  const frames = fromWorkers(seed);
  const tally = new Tally("orchestrator, over a socket");
  for (let index = 0; index < sessions; index += 1) {
    const peer = new HostilePeer();
    const worker = await Worker.start(new ZeroMqChannel(peer.start));
    const errors: Error[] = [];
    const requests = OPERATION_NAMES.map((name) => ask(worker, name, errors));
    for (let message = 0; message < 20; message += 1) {
      const bytes = frames.next();
      await peer.socket.send(message % 10 === 9 ? [bytes, bytes] : bytes);
      tally.count([]);
    }
    await peer.socket.send(Buffer.from([0xc1]));
    await Promise.all(requests);
    tally.count(errors);
    await worker.close(true);
    tally.measureGrowth(index, sessions);
  }
  return tally;
}

function fromWorkers(seed: number): Frames {
  return new Frames(seed, protocolSchema()["from_worker"] as Schema);
}

/** A worker behind a channel that is a function call, with a request of every kind open. */
class Session {
  readonly errors: Error[] = [];
  answered = false;

  private constructor(
    readonly channel: CallChannel,
    private readonly worker: Worker,
  ) {}

  static async open(): Promise<Session> {
    const channel = new CallChannel();
    const session = new Session(channel, await Worker.start(channel));
    for (const name of OPERATION_NAMES) {
      void ask(session.worker, name, session.errors).then((answered) => {
        session.answered ||= answered;
      });
    }
    return session;
  }

  close(): Promise<void> {
    return this.worker.close(true);
  }
}

/** Whether it was answered. Only errors of ours may come of it. */
async function ask(worker: Worker, name: OperationName, errors: Error[]): Promise<boolean> {
  try {
    await worker.request(name, {}, { deadlineMs: DEADLINE_MS, onMeasured: () => undefined });
    return true;
  } catch (error) {
    if (!(error instanceof FamilySeerError)) {
      throw error;
    }
    errors.push(error);
    return false;
  }
}

class CallChannel implements Channel {
  readonly name = "call";
  #events: ChannelEvents | null = null;

  async open(events: ChannelEvents): Promise<void> {
    this.#events = events;
    events.message(HELLO);
  }

  deliver(bytes: Uint8Array): void {
    this.#events?.message(bytes);
  }

  async send(): Promise<void> {}

  async close(): Promise<void> {}
}

/** Says hello as it should, and from then on what it is told to. */
class HostilePeer {
  // Without linger ZeroMQ aborts now and then where a message of two frames is cut short: of the sender, that is here.
  readonly socket = new Dealer({ linger: 1000 });

  readonly start: StartPeer = ({ endpoint }) => {
    this.socket.connect(endpoint);
    void this.socket.send(HELLO);
    return { lastOutput: [], end: async () => this.socket.close() };
  };
}
