import { once } from "node:events";
import { pack, unpack } from "msgpackr";
import { Dealer } from "zeromq";
import { PROTOCOL_VERSION } from "../../src/protocol/limits.js";
import { type FromWorker, fromWorker, type ToWorker, toWorker } from "../../src/protocol/messages.js";
import { checked } from "./checked.js";
import { type Script, ScriptedOperations } from "./scripted-operations.js";

/**
 * A worker without TVM, a process as ours is, started as the Python of one. FAMILYSEER_SCRIPT says what is different of it.
 *
 * Its orchestrator gets a signal to end when it asks for an operation the n-th time (`start` is before hello); what was asked
 * for is then not answered, unless it is cancelled; `measure` is cut short.
 */
export interface WorkerScript extends Script {
  readonly interruptAt?: string;
  readonly nth?: number;
  /** The version of the protocol that it says it speaks. */
  readonly protocol?: number;
}

type Request = Extract<ToWorker, { type: "request" }>;

/** Programs of a `measure` that is cut short. */
const CUT = 2;

console.error("the scripted worker starts");
const script: WorkerScript = JSON.parse(process.env["FAMILYSEER_SCRIPT"] ?? "{}");
const operations = new ScriptedOperations(script);
const socket = new Dealer();
const asked = new Map<string, number>();

/** Whether it is time; then the orchestrator is told. */
function interrupts(operation: string): boolean {
  const count = (asked.get(operation) ?? 0) + 1;
  asked.set(operation, count);
  const now = operation === script.interruptAt && count === (script.nth ?? 1);
  if (now) {
    process.kill(process.ppid, "SIGINT");
  }
  return now;
}

function send(message: FromWorker): Promise<void> {
  return socket.send(pack(checked("a scripted message", fromWorker, message)));
}

async function answer({ id, operation, params }: Request, cut = false): Promise<void> {
  const begun = performance.now();
  let measured = 0;
  const value = await operations.perform(operation, params, {
    report: async (event) => {
      measured += 1;
      await send({ type: "progress", id, event });
    },
    cancelled: () => cut && measured === CUT,
  });
  await send({ type: "result", id, value, seconds: (performance.now() - begun) / 1000 });
}

async function serve(endpoint: string): Promise<void> {
  let unanswered: Request | null = null;
  if (interrupts("start")) {
    return;
  }
  socket.linger = 0;
  socket.connect(endpoint);
  const { protocol = PROTOCOL_VERSION, tuner = "ansor" } = script;
  await send({ type: "hello", protocol, tvm_version: "", tuner, python_version: "", pid: process.pid });
  const beat = setInterval(() => void send({ type: "heartbeat" }).catch(() => undefined), 1000);
  for await (const [frame] of socket) {
    const message = checked("what was sent to the scripted worker", toWorker, unpack(frame as Buffer));
    if (message.type === "shutdown" || message.type === "refuse") {
      break;
    }
    if (message.type === "request") {
      const interrupted = interrupts(message.operation);
      if (interrupted && message.operation !== "measure") {
        unanswered = message;
      } else {
        await answer(message, interrupted);
      }
    } else if (message.type === "cancel" && unanswered && message.id === unanswered.id) {
      await answer(unanswered);
    }
  }
  clearInterval(beat);
  process.exit(0);
}

once(process.stdin.resume(), "end").then(
  () => process.exit(0),
  () => process.exit(0),
);
await serve(process.argv[process.argv.indexOf("--connect") + 1] ?? "");
