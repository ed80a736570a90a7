import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { pack, unpack } from "msgpackr";
import { Dealer } from "zeromq";
import { PROTOCOL_VERSION } from "../../src/protocol/limits.js";

/**
 * A worker without TVM, a process as ours is, started as the Python of one: what a program costs depends on its task and how
 * many there were before, and nothing else, so that jobs can be compared. It remembers nothing but what `load` reads.
 *
 * With FAMILYSEER_SCRIPT its orchestrator gets a signal to end when it asks for an operation the n-th time (`start` is before
 * hello); what was asked for is then not answered, unless it is cancelled; `measure` is cut short.
 */
const TASKS = 5;
const EXHAUSTED = 70;
const FAILS_EVERY = 6;
const ALL_FAIL = process.env["FAMILYSEER_TEST_ALL_FAIL"] !== undefined;

/** What a test has it do. */
export interface Script {
  readonly interruptAt?: string;
  readonly nth?: number;
  /** Of what is searched, find half. */
  readonly fewAhead?: boolean;
}

type Params = Record<string, never> & {
  readonly task: number;
  readonly programs: number;
  readonly recipe: { readonly programs: Record<string, number> } | null;
  readonly candidates: readonly number[];
  readonly siblings: readonly number[];
  readonly log: string;
  readonly from: number;
  readonly to: number | null;
};

console.error("the scripted worker starts");
const { interruptAt, nth, fewAhead }: Script = JSON.parse(process.env["FAMILYSEER_SCRIPT"] ?? "{}");

const socket = new Dealer();
const done = Array.from({ length: TASKS }, () => 0);
const origins = new Map<number, string>();
let candidates = 0;
const asked = new Map<string, number>();

/** Whether it is time; then the orchestrator is told. */
function interrupts(operation: string): boolean {
  const count = (asked.get(operation) ?? 0) + 1;
  asked.set(operation, count);
  const now = operation === interruptAt && count === (nth ?? 1);
  if (now) {
    process.kill(process.ppid, "SIGINT");
  }
  return now;
}

function send(message: object): Promise<void> {
  return socket.send(pack(message));
}

/** From 0 to 1, by its arguments alone. */
function scripted(...of: number[]): number {
  const mixed = of.reduce((hash, each) => Math.imul(hash ^ (each + 1), 0x9e3779b1) ^ (hash >>> 13), 0x12345);
  return (mixed >>> 0) / 2 ** 32;
}

function costOf(task: number, program: number): number {
  return (1e-3 * (task + 1) * (0.2 + scripted(task, program))) / (1 + program / 20);
}

const operations: Record<string, (params: Params, id: number) => object | Promise<object>> = {
  threads: () => ({ count: 2, by: "cores", cores: 2, tvm: 1 }),
  target: () => ({ notices: [], lack: null }),
  check: () => ({}),
  extract: () => ({
    target: "llvm",
    from_cache: false,
    notices: [],
    inputs: [{ name: "x", shape: [1, 8], dtype: "float32" }],
    tasks: Array.from({ length: TASKS }, (_, task) => ({
      workload_key: `task-${task}`,
      weight: 1 + (task % 3),
      description: `task ${task}`,
      core_operation: task < 3 ? "nn.conv2d" : "nn.dense",
      words: `task ${task}`,
      flops: 1e6 * (task + 1),
      similarity_tags: [],
    })),
  }),
  gpus: () => ({ gpus: 1 }),
  bounds: () => ({ least_costs: null }),
  load: async ({ log, from, to }) => {
    const text = (await readFile(log)).subarray(from, to ?? undefined).toString();
    const records = text.split("\n").flatMap((line) => (line.endsWith("}") ? [JSON.parse(line)] : []));
    const tasks = records.map(({ i }) => Number(i[0][0].slice("task-".length)));
    for (const task of tasks) {
      done[task] = (done[task] ?? 0) + 1;
    }
    return { tasks, costs: records.map(({ r }) => (r[1] === 0 ? r[0][0] : null)), skipped: [], matched: 0 };
  },
  register: () => ({ notices: [] }),
  propose: ({ task, programs, recipe }) => {
    const from = Object.entries(recipe?.programs ?? {}).flatMap(([origin, count]) => Array(count).fill(origin));
    const wanted = fewAhead ? Math.ceil(programs / 2) : programs;
    const left = Math.min(wanted, Math.max(0, EXHAUSTED - (done[task] ?? 0)));
    const found = Array.from({ length: left }, (_, index) => {
      candidates += 1;
      origins.set(candidates, from[index] ?? "evolution");
      return candidates;
    });
    return { candidates: found, refusal: null };
  },
  prepare: () => ({}),
  measure: async ({ task, candidates: all }, id) => {
    const cut = interrupts("measure");
    for (const candidate of cut ? all.slice(0, 2) : all) {
      const program = done[task] ?? 0;
      done[task] = program + 1;
      const failed = ALL_FAIL || program % FAILS_EVERY === FAILS_EVERY - 1;
      const cost = failed ? null : costOf(task, program);
      const record = {
        i: [
          [`task-${task}`, "llvm"],
          [[], [["AN", program]]],
        ],
        r: [[cost ?? 1e10], failed ? 4 : 0, 0.1, 1_700_000_000],
        v: "v0.6",
      };
      await send({
        type: "progress",
        id,
        event: {
          type: "measured",
          record: JSON.stringify(record),
          cost,
          failure: failed ? "runtime" : null,
          message: failed ? "scripted" : null,
          device: "scripted",
          origin: origins.get(candidate),
          seconds: 0.1,
          timing_seconds: 0.05,
        },
      });
      await setImmediate();
    }
    return { measured: cut ? 2 : all.length, notices: [] };
  },
  review: ({ task }) => ({ accuracy: scripted(task, done[task] ?? 0, 7) }),
  learn: ({ task }) => ({ records: done[task] ?? 0 }),
  foresee: ({ task, siblings }) => ({ gains: siblings.map((each) => scripted(task, each, done[each] ?? 0)) }),
  save: () => ({ models: [] }),
};

interface Request {
  readonly id: number;
  readonly operation: string;
  readonly params: Params;
}

async function answer({ id, operation, params }: Request): Promise<void> {
  const begun = performance.now();
  const value = await operations[operation]?.(params, id);
  await send({ type: "result", id, value, seconds: (performance.now() - begun) / 1000 });
}

async function serve(endpoint: string): Promise<void> {
  let unanswered: Request | null = null;
  if (interrupts("start")) {
    return;
  }
  socket.linger = 0;
  socket.connect(endpoint);
  await send({ type: "hello", protocol: PROTOCOL_VERSION, tvm_version: "", python_version: "", pid: process.pid });
  const beat = setInterval(() => void send({ type: "heartbeat" }).catch(() => undefined), 1000);
  for await (const [frame] of socket) {
    const message = unpack(frame as Buffer);
    if (message.type === "shutdown") {
      break;
    }
    if (message.type === "request" && message.operation !== "measure" && interrupts(message.operation)) {
      unanswered = message;
    } else if (message.type === "request") {
      await answer(message);
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
