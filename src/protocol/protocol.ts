import { Packr } from "msgpackr";
import { z } from "zod";
import { ProtocolError } from "../errors.js";
import { checkBounds } from "./msgpack-bounds.js";

/**
 * Every message between the orchestrator and a worker, and every operation a worker can be asked for: docs/protocol.md.
 * This is the one source; `python/familyseer/wire/protocol.schema.json` is made from it, and both sides validate by it.
 */
export const PROTOCOL_VERSION = 8;

/** What either side may send at most. More is a fault of the sender, and ends the session. */
export const LIMITS = {
  /** Bytes of a message. */
  message_bytes: 64 * 1024 * 1024,
  /** Requests that wait for their answer. */
  requests: 1000,
  /** Items of one array or map in a message to a worker. */
  items: 100_000,
  /** Values in a message from a worker: each string, number, element, key. */
  values: 2_000_000,
  /** Arrays and maps within one another in a message from a worker. */
  depth: 16,
} as const;
/** Of what is wrong with a message, so many characters are told. */
const TOLD = 2000;

const count = z.number().int().min(0);
const id = z.number().int().min(0);

export const describedTask = z.object({
  workload_key: z.string(),
  weight: z.number(),
  description: z.string(),
  core_operation: z.string().nullable(),
  words: z.string(),
  flops: z.number(),
  similarity_tags: z.array(z.string()),
});
export type DescribedTask = z.infer<typeof describedTask>;

/** Of an input of a network. */
export const DTYPES = [
  "float16",
  "float32",
  "float64",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "bool",
] as const;

const extents = z.array(z.number().int().min(1));

/** An input of a network; a scalar has no extents. */
export const describedInput = z.object({ name: z.string(), shape: extents, dtype: z.string() });
export type DescribedInput = z.infer<typeof describedInput>;

const ORIGINS = ["sibling", "descent", "evolution", "random"] as const;

/**
 * A program that was built and run, or failed; sent while `measure` goes on. Costs and times are in seconds. `device` is
 * where it ran, for `timing_seconds`; null if it never did. `origin` is where it came from.
 */
export const measuredEvent = z.object({
  type: z.literal("measured"),
  record: z.string(),
  cost: z.number().nullable(),
  failure: z.string().nullable(),
  message: z.string().nullable(),
  device: z.string().nullable(),
  origin: z.enum(ORIGINS),
  seconds: z.number(),
  timing_seconds: z.number(),
});
export type MeasuredEvent = z.infer<typeof measuredEvent>;

const searchSettings = z.object({
  population: z.number().int().min(1),
  generations: z.number().int().min(0),
  eps_greedy: z.number().min(0).max(1),
  use_measured_ratio: z.number().min(0).max(1),
  seed: z.number().int().min(0),
});

/** What candidates are to be made of; programs of each origin. */
const recipe = z.object({
  programs: z.object({ sibling: count, descent: count, evolution: count, random: count }),
  /** Tasks whose best schedules are fitted to this one's shapes, the most alike first. */
  donors: z.array(id),
  population: z.number().int().min(1),
  generations: count,
  /** Random programs that an analytic estimate finds slow are left out. */
  draft: z.boolean(),
});

/**
 * Where programs run: this machine, servers of ours with a GPU each, or those of a key of the user's tracker; `simulated`:
 * nowhere, their times are made up by a model of a GPU (docs/simulated-gpu.md).
 */
const deviceSettings = z.discriminatedUnion("type", [
  z.object({ type: z.literal("local") }),
  z.object({ type: z.literal("servers"), count: z.number().int().min(1) }),
  z.object({
    type: z.literal("tracker"),
    host: z.string().min(1),
    port: z.number().int().min(1).max(65535),
    key: z.string().min(1),
  }),
  z.object({ type: z.literal("simulated") }),
]);
export type DeviceSettings = z.infer<typeof deviceSettings>;

const measureSettings = z.object({
  devices: deviceSettings,
  building: z.object({
    /** Programs built at once; 0: as many as there are CPUs. */
    builders: count,
    build_timeout: z.number().int().min(1),
    /** Give builds up that take many times as long as the task's others. */
    adaptive_build_timeout: z.boolean(),
    /** Time a program no further that is, in its first run, so many times slower than the task's best; null: always. */
    worse_ratio: z.number().min(1).nullable(),
  }),
  timing: z.object({
    timeout: z.number().int().min(1),
    number: z.number().int().min(1),
    repeat: z.number().int().min(1),
    min_repeat_ms: z.number().int().min(0),
    cooldown_interval: z.number().min(0),
    enable_cpu_cache_flush: z.boolean(),
  }),
});

const trainingSettings = z.object({
  /** `bounded`: on a bounded choice of the records; `reference`: as TVM's own model, on all of them. */
  mode: z.enum(["bounded", "reference"]),
  /** Where the trees are grown; `auto` is CUDA where the worker's xgboost can, else the CPU. */
  device: z.enum(["cpu", "cuda", "auto"]),
});

/** How far a job has come: what the attributes of TVM's `TaskScheduler` say. Costs in seconds, 1e10 for unmeasured. */
const schedulerState = z.object({
  trials: count,
  best_trials: count,
  score: z.number(),
  /** Null before warm-up is done. */
  best_score: z.number().nullable(),
  rounds: z.array(count),
  best_rounds: z.array(count),
  best_costs: z.array(z.number()),
  dead_tasks: z.array(id),
  /** Tasks taken out of their similarity group. */
  unlike_tasks: z.array(id),
});
export type SchedulerState = z.infer<typeof schedulerState>;

export const operations = {
  /** Answers at once; what a round trip costs. */
  ping: { params: z.object({}), result: z.object({}) },
  /**
   * Tries a target: compiles a program for it, and, where its programs are to run `here`, runs it. `notices`: what TVM warns
   * of; `lack`: why its programs cannot be built, or run here. What LLVM does not know is an invalid request.
   */
  target: {
    params: z.object({ target: z.string(), measures: z.enum(["here", "elsewhere", "nowhere"]) }),
    result: z.object({ notices: z.array(z.string()), lack: z.string().nullable() }),
  },
  /** How many CUDA GPUs the worker's TVM can use; 0 where it was built without CUDA. */
  gpus: { params: z.object({}), result: z.object({ gpus: count }) },
  /**
   * How many threads programs on the worker's CPU run on, from now on: as many as are asked for, else as the user told TVM by
   * a variable of the environment, else one for each real core that the worker may use. A worker that was not asked leaves
   * that to TVM.
   */
  threads: {
    params: z.object({ asked: z.number().int().nullable() }),
    result: z.object({
      count: z.number().int().min(1),
      /** Who says so. */
      by: z.enum(["option", "cores", "TVM_NUM_THREADS", "OMP_NUM_THREADS"]),
      /** The real cores that the worker may use, and the threads that TVM takes by itself. */
      cores: z.number().int().min(1),
      tvm: z.number().int().min(1),
    }),
  },
  /**
   * Refuses, before anything is built, a network that there is not, and a file that no library can be written to; null:
   * none is to be.
   */
  check: {
    params: z.object({
      model: z.string(),
      batch: z.number().int(),
      layout: z.string(),
      library: z.string().nullable(),
    }),
    result: z.object({}),
  },
  /**
   * Builds a network, finds its tasks for a target, and keeps both for the operations below, which name a task by its place
   * among them, counted from 0.
   */
  extract: {
    params: z.object({
      model: z.string(),
      batch: z.number().int(),
      layout: z.string(),
      /** What the user says of the inputs of a file; `dtype` null: the file's own. */
      inputs: z.array(z.object({ name: z.string(), shape: extents, dtype: z.enum(DTYPES).nullable() })),
      target: z.string(),
      cache: z.string().nullable(),
    }),
    result: z.object({
      target: z.string(),
      from_cache: z.boolean(),
      /** What TVM warns of about the target, where the worker tried it (`target`), or had when these tasks were found. */
      notices: z.array(z.string()),
      /** All inputs, as the network is compiled for them. */
      inputs: z.array(describedInput),
      tasks: z.array(describedTask),
    }),
  },
  /**
   * A bound on each task's cost from below, in seconds, by what this machine's CPU computes and moves at most; null where
   * the target is not this CPU. Takes a second in which nothing else may run.
   */
  bounds: { params: z.object({}), result: z.object({ least_costs: z.array(z.number()).nullable() }) },
  /**
   * Reads the records of a log, or of the bytes `from` to `to` of it, that are of the extracted tasks and target, and keeps
   * them for `register` and `compile`. Gives the task and cost of each, oldest first, and what was skipped and why.
   */
  load: {
    params: z.object({
      log: z.string(),
      from: count,
      /** Null: to its end. */
      to: count.nullable(),
      /** Take records that were measured for other targets, too. */
      other_targets: z.boolean(),
      /** Take records of these tasks alone; null: of all. */
      only: z.array(id).min(1).nullable(),
    }),
    result: z.object({
      tasks: z.array(id),
      costs: z.array(z.number().nullable()),
      skipped: z.array(
        z.object({
          reason: z.string(),
          count,
          /** The first lines that were, counted from 1. */
          lines: z.array(z.number().int().min(1)),
        }),
      ),
      /** How many of the records another TVM version wrote, which names tasks otherwise. */
      matched: count,
    }),
  },
  /**
   * Makes the pool of cost models and a search policy for each of their tasks, and takes over what was loaded of these. The
   * other tasks are other workers'.
   */
  register: {
    params: z.object({
      cost_models: z.array(
        z.object({
          name: z.string(),
          kind: z.enum(["xgb", "random"]),
          tasks: z.array(id),
          warm_up_records: count,
          model_file: z.string().nullable(),
        }),
      ),
      /** A file of an earlier job's best schedules, written by `save`. */
      schedules: z.string().nullable(),
      search: searchSettings,
      training: trainingSettings,
      measure: measureSettings,
    }),
    /** `notices`: what is not done as asked, a line each. */
    result: z.object({ notices: z.array(z.string()) }),
  },
  /**
   * Searches for candidates on a task, by evolution as TVM does or by a recipe; fewer than asked for, or none, where the
   * search space is exhausted. `refusal`: why TVM can lower none, where that is the reason.
   */
  propose: {
    params: z.object({ task: id, programs: z.number().int().min(1), recipe: recipe.nullable() }),
    result: z.object({ candidates: z.array(id), refusal: z.string().nullable() }),
  },
  /** Begins to build candidates that will be measured later; answers at once. */
  prepare: {
    params: z.object({ task: id, candidates: z.array(id) }),
    result: z.object({}),
  },
  /**
   * Builds and runs candidates; a `measured` event for each. A cancelled one ends with what is done. Notices tell of
   * devices that were lost, came back or differ in speed.
   */
  measure: {
    params: z.object({ task: id, candidates: z.array(id) }),
    result: z.object({ measured: count, notices: z.array(z.string()) }),
  },
  /**
   * Holds what was measured on a task since the last review against what its family's model says of it. `accuracy`: the share
   * of the pairs of these programs that the model has in order; null where it knows too little.
   */
  review: { params: z.object({ task: id }), result: z.object({ accuracy: z.number().nullable() }) },
  /** Trains the cost model of the task's family on what was reviewed of the task since. */
  learn: { params: z.object({ task: id }), result: z.object({ records: count }) },
  /** What the family's model expects a task's best schedules to gain in each sibling, as a share of its throughput. */
  foresee: {
    params: z.object({ task: id, siblings: z.array(id).min(1) }),
    result: z.object({ gains: z.array(z.number()) }),
  },
  /**
   * Writes the cost models into a folder, one file each, and the best schedules as `schedules.json`; with `add` beside those of
   * other workers.
   */
  save: {
    params: z.object({ folder: z.string(), add: z.boolean() }),
    result: z.object({
      models: z.array(
        z.object({
          name: z.string(),
          file: z.string().nullable(),
          records: count,
          tasks: z.array(id),
          sources: z.array(z.string()),
        }),
      ),
    }),
  },
  /** The GPUs of this machine, or the servers of a tracker, of every key or of one; what state each is in, in words. */
  devices: {
    params: z.object({
      tracker: z
        .object({ host: z.string().min(1), port: z.number().int().min(1).max(65535), key: z.string().nullable() })
        .nullable(),
    }),
    result: z.object({
      devices: z.array(z.object({ name: z.string(), key: z.string().nullable(), state: z.string() })),
    }),
  },
  /** Compiles the extracted network: untuned, or with the best of the loaded records for each task. */
  compile: {
    params: z.object({ tuned: z.boolean() }),
    /** `executor`: TVM's graph executor, or its virtual machine for networks with control flow or open shapes. */
    result: z.object({ module: id, executor: z.enum(["graph", "vm"]) }),
  },
  /**
   * Writes a compiled network with its weights as a library that plain TVM loads: a shared one (`.so`), or one of object
   * files that are linked where it is loaded (`.tar`). The file appears whole or not at all.
   */
  export: {
    params: z.object({ module: id, library: z.string() }),
    result: z.object({}),
  },
  /** Times a compiled network; seconds per run. */
  evaluate: {
    params: z.object({ module: id, repeat: z.number().int().min(1), min_repeat_ms: count }),
    result: z.object({ seconds: z.array(z.number()) }),
  },

  // What only the user's own process answers: the drop-in TaskScheduler, whose tasks, search policies, objective and
  // callbacks are the user's.

  /** What the user wants tuned, and how. */
  describe: {
    params: z.object({}),
    result: z.object({
      tasks: z.array(describedTask),
      /** Null where the search policies are ready-made. */
      search_policy: z.string().nullable(),
      trials: z.number().int(),
      trials_per_round: z.number().int(),
      foresee_trials: z.number().int(),
      strategy: z.enum(["gradient", "round-robin"]),
      alpha: z.number(),
      beta: z.number(),
      gamma: z.number(),
      backward_window: z.number().int(),
      early_stopping: z.number().nullable(),
      task_early_stopping: z.number().nullable(),
      /** Null: as the reference does, TVM 0.18 without families and FamilySeer with them. */
      give_up_unmeasured: z.boolean().nullable(),
      start_at: z.array(
        z.object({
          rounds: count,
          best_round: count,
          best_cost: z.number(),
          history: z.array(z.number()),
          dead: z.boolean(),
        }),
      ),
      measured_before: z.array(z.object({ task: id, cost: z.number().nullable() })),
    }),
  },
  /** Makes the search policies, with a cost model for each family; called once, before the first round. */
  begin: {
    params: z.object({
      families: z.record(z.string(), z.array(id)).nullable(),
      /** What to make of each family, a name of two parts; null where the policies are ready-made. */
      search_policy: z.string().nullable(),
      trials_per_round: z.number().int().min(1),
      /** Best cost after each round so far, per task, in seconds. */
      histories: z.array(z.array(z.number())),
    }),
    result: z.object({}),
  },
  /** The objective of each cost vector. */
  score: {
    params: z.object({ vectors: z.array(z.array(z.number())) }),
    result: z.object({ scores: z.array(z.number()) }),
  },
  /** A number from 0 to `count - 1`, from the generator TVM's scheduler draws from. */
  draw: { params: z.object({ count: z.number().int().min(1) }), result: z.object({ drawn: id }) },
  /** One round with the task's search policy, `pre_tune` callbacks before it; one cost for each program measured. */
  search: {
    params: z.object({ task: id, programs: z.number().int().min(1), reason: z.string(), state: schedulerState }),
    result: z.object({ costs: z.array(z.number().nullable()) }),
  },
  /** What the round just done led to; `post_tune` callbacks after it. */
  observe: { params: z.object({ task: id, state: schedulerState }), result: z.object({}) },
  /** The job is done. */
  finish: {
    params: z.object({
      reason: z.enum(["trials-spent", "all-tasks-dead", "no-improvement"]),
      state: schedulerState,
    }),
    result: z.object({}),
  },
} as const;

export type OperationName = keyof typeof operations;
export type Params<O extends OperationName> = z.infer<(typeof operations)[O]["params"]>;
export type Result<O extends OperationName> = z.infer<(typeof operations)[O]["result"]>;
export type SearchSettings = z.infer<typeof searchSettings>;
export type TrainingSettings = z.infer<typeof trainingSettings>;

export const toWorker = z.discriminatedUnion("type", [
  z.object({ type: z.literal("welcome") }),
  z.object({ type: z.literal("refuse"), kind: z.enum(["invalid-request", "error"]), reason: z.string() }),
  z.object({
    type: z.literal("request"),
    id,
    operation: z.enum(Object.keys(operations) as [OperationName, ...OperationName[]]),
    params: z.record(z.string(), z.unknown()),
  }),
  z.object({ type: z.literal("cancel"), id }),
  z.object({ type: z.literal("shutdown") }),
]);
export type ToWorker = z.infer<typeof toWorker>;

export const fromWorker = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("hello"),
    protocol: z.number().int(),
    tvm_version: z.string(),
    python_version: z.string(),
    pid: z.number().int(),
  }),
  z.object({ type: z.literal("result"), id, value: z.record(z.string(), z.unknown()), seconds: z.number() }),
  z.object({ type: z.literal("failure"), id, kind: z.enum(["invalid-request", "error"]), message: z.string() }),
  z.object({ type: z.literal("progress"), id, event: measuredEvent }),
  z.object({ type: z.literal("heartbeat") }),
]);
export type FromWorker = z.infer<typeof fromWorker>;

// Python's msgpack knows no records extension, and dates are never sent.
const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true, int64AsType: "number" });

/** @throws ProtocolError for a message of more bytes than may be sent. */
export function encode(message: ToWorker): Buffer {
  const bytes = packr.pack(message);
  if (bytes.length > LIMITS.message_bytes) {
    throw new ProtocolError(
      `A ${message.type} message of ${bytes.length} bytes is too long: at most ${LIMITS.message_bytes} are sent.`,
    );
  }
  return bytes;
}

/** @throws ProtocolError for bytes that are not a message of this protocol, or one beyond its limits. */
export function decode(bytes: Uint8Array): FromWorker {
  if (bytes.length > LIMITS.message_bytes) {
    throw new ProtocolError(`The worker sent ${bytes.length} bytes; a message has at most ${LIMITS.message_bytes}.`);
  }
  let content: unknown;
  try {
    checkBounds(bytes, LIMITS);
    content = packr.unpack(bytes);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ProtocolError(`The worker sent ${bytes.length} bytes that are not msgpack of this protocol: ${reason}.`);
  }
  const message = fromWorker.safeParse(content);
  if (!message.success) {
    throw new ProtocolError(`The worker sent a message that is not of the protocol:\n${whatIsWrong(message.error)}`);
  }
  return message.data;
}

/** What is wrong with a message, for people. The first issues say it; a hostile message has millions. */
export function whatIsWrong({ issues }: z.ZodError): string {
  return z.prettifyError(new z.ZodError(issues.slice(0, 10))).slice(0, TOLD);
}

/** The whole protocol as JSON Schema (draft 7), for workers in other languages. */
export function protocolSchema(): Record<string, unknown> {
  return {
    version: PROTOCOL_VERSION,
    limits: LIMITS,
    to_worker: schemaOf(toWorker),
    from_worker: schemaOf(fromWorker),
    operations: Object.fromEntries(
      Object.entries(operations).map(([name, { params, result }]) => [
        name,
        { params: schemaOf(params), result: schemaOf(result) },
      ]),
    ),
  };
}

function schemaOf(schema: z.ZodType): unknown {
  return z.toJSONSchema(schema, { target: "draft-7" });
}
