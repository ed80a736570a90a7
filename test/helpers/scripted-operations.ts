import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay, setImmediate } from "node:timers/promises";
import type { Origin } from "../../src/core/fast/recipe.js";
import type { OperationName, Params, Result, workerOperations } from "../../src/protocol/operations/index.js";
import { type MeasuredEvent, measuredEvent } from "../../src/protocol/operations/measure.js";
import { checked, checkedParams, checkedResult } from "./checked.js";

/** What a test has the scripted worker do. */
export interface Script {
  /** The tuner that it says its TVM has; records are of its format. */
  readonly tuner?: string;
  readonly tasks?: number;
  /** Programs that each task has; null: no end of them. */
  readonly exhausted?: number | null;
  /** Of so many programs of a task the last fails; null: none. */
  readonly failsEvery?: number | null;
  /** Of so many programs of a task the last is disturbed, and timed three times; null: none. */
  readonly disturbsEvery?: number | null;
  /** Of what is searched, find half. */
  readonly fewAhead?: boolean;
  /** Programs that are built at once where nobody says. */
  readonly builders?: number;
  /** Programs that are measured at once, and the seconds that each of them takes. */
  readonly devices?: number;
  readonly seconds?: number;
  /** The job that left schedules for convolutions in the library; null: none did. */
  readonly carries?: string | null;
}

export interface Asking {
  readonly report: (event: MeasuredEvent) => Promise<void> | void;
  readonly cancelled: () => boolean;
}

type Answers = {
  readonly [O in keyof typeof workerOperations]?: (params: Params<O>, asking: Asking) => Result<O> | Promise<Result<O>>;
};

const TARGET = "llvm";
/** As records of a database have it. */
const SPELLED = '{"kind":"llvm","keys":["cpu"],"num-cores":2,"tag":""}';
/** Of a workload's line; real ones have twenty times as many. */
const WORKLOAD_BYTES = 3000;
/** The seconds of a program that failed. */
const FAILED = 1e10;
const FAMILIES = ["nn.conv2d", "nn.conv2d", "nn.conv2d", "nn.dense", "nn.dense"];
const HARDWARE = [2, 64, 64, 0, 0, 0, 0, 0];

/**
 * A worker's operations without TVM. What a program costs depends on its task and how many there were before, and nothing
 * else, so that jobs can be compared. It remembers nothing but what `load` reads. Records are of TVM's formats. What it is asked
 * and what it answers is held against the protocol: whoever changes that hears of it here.
 */
export class ScriptedOperations {
  readonly #script: Required<Script>;
  readonly #done: number[];
  readonly #origins = new Map<number, Origin>();
  #candidates = 0;
  #modules = 0;
  #timed = 0;

  constructor(script: Script) {
    this.#script = {
      tuner: "ansor",
      tasks: 5,
      exhausted: 70,
      failsEvery: 6,
      disturbsEvery: null,
      fewAhead: false,
      builders: 2,
      devices: 1,
      seconds: 0,
      carries: null,
      ...script,
    };
    this.#done = Array.from({ length: this.#script.tasks }, () => 0);
  }

  /** @throws for what is not as the protocol has it, and for an operation that no script has an answer to. */
  async perform(operation: OperationName, params: unknown, asking: Asking): Promise<Record<string, unknown>> {
    const answer = (this.#answers as Readonly<Record<string, (params: unknown, asking: Asking) => unknown>>)[operation];
    if (!answer) {
      throw new Error(`The scripted worker has no answer to ${operation}. Expected one in scripted-operations.ts.`);
    }
    return checkedResult(operation, await answer(checkedParams(operation, params), asking));
  }

  readonly #answers: Answers = {
    ping: () => ({}),
    threads: ({ asked }) => ({ count: asked ?? 2, by: asked === null ? "cores" : "option", cores: 2, tvm: 1 }),
    target: () => ({ notices: [], lack: null }),
    check: () => ({}),
    extract: () => ({
      target: TARGET,
      from_cache: false,
      notices: [],
      inputs: [{ name: "x", shape: [1, 8], dtype: "float32" }],
      tasks: this.#done.map((_, task) => ({
        workload_key: keyOf(task),
        structure: keyOf(task),
        tiled_stage: "",
        weight: 1 + (task % 3),
        description: `task ${task}`,
        core_operation: FAMILIES[task] ?? `operation ${task % 10}`,
        words: `task ${task}`,
        flops: 1e6 * (task + 1),
        similarity_tags: [],
      })),
    }),
    gpus: () => ({ gpus: 1 }),
    capacity: ({ builders }) => ({
      builders: builders || this.#script.builders,
      devices: this.#script.devices,
    }),
    bounds: () => ({ least_costs: null }),
    load: async ({ log, from, to }) => {
      const text = (await readFile(log)).subarray(from, to ?? undefined).toString();
      const lines = text.split("\n").flatMap((line) => (/[}\]]$/.test(line) ? [JSON.parse(line)] : []));
      const records = this.#ofDatabase
        ? lines.map(([task, [, [seconds]]]) => ({ task, cost: seconds === FAILED ? null : seconds }))
        : lines.map(({ i, r }) => ({ task: taskOf(i[0][0]), cost: r[1] === 0 ? r[0][0] : null }));
      for (const { task } of records) {
        this.#done[task] = this.#doneOf(task) + 1;
      }
      return {
        tasks: records.map(({ task }) => task),
        costs: records.map(({ cost }) => cost),
        skipped: [],
        matched: 0,
      };
    },
    recall: ({ families, jobs }) => {
      const { carries } = this.#script;
      const found = carries === null ? [] : families.filter(({ name }) => name === "nn.conv2d");
      return {
        families: found.map(({ name }) => ({ name, schedules: 3, records: 0, jobs: jobs ?? [carries ?? ""] })),
        notices: [],
      };
    },
    keep: () => ({ notices: [] }),
    register: () => ({ notices: [] }),
    workloads: async ({ log }) => {
      if (!this.#ofDatabase) {
        return { workloads: null };
      }
      const before = await readFile(join(dirname(log), "database_workload.json"), "utf8").catch(() => "");
      const numbers = this.#done.map((_, task) => task);
      const lines = numbers
        .map((task) => JSON.stringify([hashOf(task), "A".repeat(WORKLOAD_BYTES)]))
        .slice(before.split("\n").length - 1);
      return { workloads: { lines, count: numbers.length, numbers, target: SPELLED } };
    },
    propose: ({ task, programs, recipe }) => {
      const { exhausted, fewAhead } = this.#script;
      const shares = Object.entries(recipe?.programs ?? {}) as [Origin, number][];
      const from = shares.flatMap(([origin, count]) => Array<Origin>(count).fill(origin));
      const wanted = fewAhead ? Math.ceil(programs / 2) : programs;
      const left = exhausted === null ? wanted : Math.min(wanted, Math.max(0, exhausted - this.#doneOf(task)));
      const candidates = Array.from({ length: left }, (_, index) => {
        this.#candidates += 1;
        this.#origins.set(this.#candidates, from[index] ?? "evolution");
        return this.#candidates;
      });
      return { candidates, refusal: null };
    },
    prepare: () => ({}),
    measure: async ({ task, candidates }, { report, cancelled }) => {
      const { devices, seconds } = this.#script;
      const begun = performance.now();
      for (const [index, candidate] of candidates.entries()) {
        // As many at once as there are devices.
        const until = begun + 1000 * seconds * (Math.floor(index / devices) + 1);
        await (seconds > 0 ? delay(Math.max(0, until - performance.now())) : setImmediate());
        if (cancelled()) {
          return { measured: index, notices: [] };
        }
        await report(checked("a scripted event", measuredEvent, this.#measured(task, candidate, index % devices)));
      }
      return { measured: candidates.length, notices: [] };
    },
    review: ({ task, against }) => ({ accuracy: scripted(task, this.#doneOf(task), 7), of: against }),
    learn: ({ task }) => ({ records: this.#doneOf(task) }),
    foresee: ({ task, siblings }) => ({ gains: siblings.map((each) => scripted(task, each, this.#doneOf(each))) }),
    save: () => ({ models: [] }),
    compile: () => ({ module: this.#modules++, notices: [] }),
    against: () => ({ module: this.#modules++, version: "1.0" }),
    compare: ({ other }) => (other === 0 ? { difference: 0.005, largest: 8 } : { difference: null, largest: null }),
    // Each takes a second longer than the one before, so that it tells when it was.
    evaluate: () => {
      this.#timed += 1;
      return { seconds: [this.#timed], waited: 0.25 };
    },
  };

  get #ofDatabase(): boolean {
    return this.#script.tuner === "metaschedule";
  }

  #doneOf(task: number): number {
    return this.#done[task] ?? 0;
  }

  #measured(task: number, candidate: number, device: number): MeasuredEvent {
    const { failsEvery, disturbsEvery } = this.#script;
    const program = this.#doneOf(task);
    this.#done[task] = program + 1;
    const failed = failsEvery !== null && program % failsEvery === failsEvery - 1;
    const disturbed = !failed && disturbsEvery !== null && program % disturbsEvery === disturbsEvery - 1;
    const cost = failed ? null : costOf(task, program);
    const seconds = [cost ?? FAILED];
    const record = this.#ofDatabase
      ? [task, [[[["Step", [], [program], []]], []], seconds, JSON.parse(SPELLED), [["TENSOR", "float32", [512, 512]]]]]
      : {
          i: [
            [keyOf(task), TARGET, HARDWARE, "", 0, []],
            [[], stepsOf(program)],
          ],
          r: [seconds, failed ? 4 : 0, 0.1, 1_700_000_000],
          v: "v0.6",
        };
    const origin = this.#origins.get(candidate) ?? "evolution";
    this.#origins.delete(candidate);
    return {
      type: "measured",
      record: JSON.stringify(record),
      cost,
      failure: failed ? "runtime" : null,
      message: failed ? "scripted" : null,
      device: `device ${device}`,
      origin,
      seconds: 0.1,
      timing_seconds: 0.05,
      waited: disturbed ? 0.5 : 0.001,
      disturbed,
      timings: disturbed ? 3 : 1,
    };
  }
}

/** The workload key of a scripted task. */
export function keyOf(task: number): string {
  return JSON.stringify([`task-${task}`, [512, 512], [512, 512], [512, 512]]);
}

/** What a database calls its workload. */
function hashOf(task: number): string {
  return `${10_000_000_000 + task}`;
}

function taskOf(key: string): number {
  return Number(JSON.parse(key)[0].slice("task-".length));
}

/** From 0 to 1, by its arguments alone. */
function scripted(...of: number[]): number {
  const mixed = of.reduce((hash, each) => Math.imul(hash ^ (each + 1), 0x9e3779b1) ^ (hash >>> 13), 0x12345);
  return (mixed >>> 0) / 2 ** 32;
}

function costOf(task: number, program: number): number {
  return (1e-3 * (task + 1) * (0.2 + scripted(task, program))) / (1 + program / 20);
}

/** Of a tuning of a matrix product; the number of the program stands where its first loop is split. */
function stepsOf(program: number): unknown[] {
  return [
    ["CHW", 2, "local"],
    ["SP", 2, 0, 512, [program + 1, 1, 1], 1],
    ["SP", 2, 4, 512, [8, 8, 1], 1],
    ["SP", 2, 8, 512, [2], 1],
    ["RE", 2, [0, 4, 1, 5, 8, 2, 6, 9, 3, 7]],
    ["FSP", 3, 0, 1, 1],
    ["FSP", 3, 2, 2, 1],
    ["RE", 3, [0, 2, 1, 3]],
    ["CA", 2, 3, 1],
    ["FU", 3, [0, 1]],
    ["AN", 3, 0, 3],
    ["PR", 2, 0, "auto_unroll_max_step$16"],
  ];
}
