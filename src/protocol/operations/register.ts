import { z } from "zod";
import { COST_MODELS } from "../../core/search-policy.js";
import { MINUTE, type Operation } from "../operation.js";
import { count, host, id, port } from "../shapes.js";

const costModel = z
  .object({
    name: z.string(),
    kind: z.enum(COST_MODELS),
    tasks: z.array(id),
    warm_up_records: count,
    model_file: z.string().nullable(),
  })
  .meta({ title: "CostModelPlan" });

const searchSettings = z
  .object({
    population: z.number().int().min(1),
    generations: z.number().int().min(0),
    eps_greedy: z.number().min(0).max(1),
    use_measured_ratio: z.number().min(0).max(1),
    seed: z.number().int().min(0),
  })
  .meta({ title: "SearchSettings" });

const trainingSettings = z
  .object({
    /** `bounded`: on a bounded choice of the records; `reference`: as TVM's own model, on all of them. */
    mode: z.enum(["bounded", "reference"]),
    /** Where the trees are grown; `auto` is CUDA where the worker's xgboost can, else the CPU. */
    device: z.enum(["cpu", "cuda", "auto"]),
  })
  .meta({ title: "TrainingSettings" });
export type TrainingSettings = z.infer<typeof trainingSettings>;

/**
 * Where programs run: this machine, servers of ours with a GPU each, or those of a key of the user's tracker; `simulated`:
 * nowhere, their times are made up by a model of a GPU (docs/simulated-gpu.md).
 */
export const deviceSettings = z
  .discriminatedUnion("type", [
    z.object({ type: z.literal("local") }).meta({ title: "LocalDevices" }),
    z.object({ type: z.literal("servers"), count: z.number().int().min(1) }).meta({ title: "ServerDevices" }),
    z.object({ type: z.literal("tracker"), host, port, key: z.string().min(1) }).meta({ title: "TrackerDevices" }),
    z.object({ type: z.literal("simulated") }).meta({ title: "SimulatedDevices" }),
  ])
  .meta({ title: "DeviceSettings" });
export type DeviceSettings = z.infer<typeof deviceSettings>;

const buildSettings = z
  .object({
    /** Programs built at once; 0: as many as there are CPUs. */
    builders: count,
    build_timeout: z.number().int().min(1),
    /** Give builds up that take many times as long as the task's others. */
    adaptive_build_timeout: z.boolean(),
    /** Time a program no further that is, in its first run, so many times slower than the task's best; null: always. */
    worse_ratio: z.number().min(1).nullable(),
    /** Time programs again that other work disturbed, where that decides something, and learn from the others. */
    retime: z.boolean(),
  })
  .meta({ title: "BuildSettings" });

const timingSettings = z
  .object({
    timeout: z.number().int().min(1),
    number: z.number().int().min(1),
    repeat: z.number().int().min(1),
    min_repeat_ms: z.number().int().min(0),
    cooldown_interval: z.number().min(0),
    enable_cpu_cache_flush: z.boolean(),
  })
  .meta({ title: "TimingSettings" });

const measureSettings = z
  .object({ devices: deviceSettings, building: buildSettings, timing: timingSettings })
  .meta({ title: "MeasureSettings" });

/**
 * Makes the pool of cost models and a search policy for each of their tasks, and takes over what was loaded of these. The
 * other tasks are other workers'.
 */
export const register = {
  params: z.object({
    cost_models: z.array(costModel),
    /** A file of an earlier job's best schedules, written by `save`. */
    schedules: z.string().nullable(),
    search: searchSettings,
    training: trainingSettings,
    measure: measureSettings,
  }),
  /** `notices`: what is not done as asked, a line each. */
  result: z.object({ notices: z.array(z.string()) }),
  deadlineMs: 10 * MINUTE,
} as const satisfies Operation;
