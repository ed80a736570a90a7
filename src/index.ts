export { type CostModelPlan, planCostModels } from "./core/cost-models.js";
export type {
  Action,
  DeathReason,
  FastAction,
  FastReason,
  FastStopReason,
  RoundOutcome,
  SearchReason,
  StopReason,
} from "./core/decider.js";
export { type Families, groupFamilies } from "./core/families.js";
export { FastScheduler } from "./core/fast/fast-scheduler.js";
export { DEFAULT_FAST_FLAGS, DEFAULT_MEANS, type FastFlags, type Means } from "./core/fast/flags.js";
export type { Origin, Recipe } from "./core/fast/recipe.js";
export { type Objective, weightedSum } from "./core/objective.js";
export { type Draw, seededDraw } from "./core/random.js";
export { MetaScheduler, type MetaSchedulerOptions } from "./core/reference/meta-scheduler.js";
export { minstdDraw } from "./core/reference/minstd.js";
export type { SchedulerOptions } from "./core/reference/options.js";
export { Scheduler } from "./core/reference/scheduler.js";
export { defaultPolicy, parseSearchPolicy, type SearchPolicy, searchPolicyNames } from "./core/search-policy.js";
export { type Task, UNMEASURED_COST } from "./core/task.js";
export * from "./errors.js";
export type { DeviceShare, EndReason, NamedTask, NothingRan, Round, TuneEvent } from "./job/events.js";
export {
  type InferenceTime,
  type TuneNetworkOptions,
  tuneNetworkGpu,
  tuneNetworkX86,
} from "./job/tune-network.js";
export { Tuner, tune } from "./job/tuner.js";
export {
  type EvaluateOptions,
  type ExportOptions,
  evaluate,
  exportLibrary,
  type Latencies,
  type RivalLatency,
  timeTuned,
} from "./network/evaluate.js";
export type { Dtype, NetworkInput } from "./network/inputs.js";
export { type ExtractedTasks, extractTasks, type NetworkOptions } from "./network/tasks.js";
export { FAST_DEFAULTS, TUNE_DEFAULTS } from "./options/defaults.js";
export {
  type CommonTuneOptions,
  type FastTuneOptions,
  type ReferenceSettings,
  type ReferenceTuneOptions,
  TUNE_MODES,
  type TuneMode,
  type TuneOptions,
} from "./options/options.js";
export { RUNTIMES, type Runtime } from "./protocol/operations/against.js";
export { type BestRecord, bestRecords } from "./records/best.js";
export { logRecords, readLog } from "./records/log.js";
export type { LogRecord } from "./records/record.js";
export { isSimulated, SIMULATED_TARGET } from "./target.js";
export { TUNERS, type TunerName } from "./tuner-name.js";
export { CHANNELS, type ChannelName } from "./worker/channel.js";
export { startWorker, type WorkerOptions } from "./worker/start.js";
export { Worker } from "./worker/worker.js";
