export * from "./errors.js";
export { type BestRecord, bestRecords } from "./records/best.js";
export { type LogRecord, logRecords, readLog } from "./records/log.js";
export { isSimulated, SIMULATED_TARGET } from "./records/simulated.js";
export {
  type EvaluateOptions,
  type ExportOptions,
  evaluate,
  exportLibrary,
  type Latencies,
  timeTuned,
} from "./tuner/evaluate.js";
export type { DeviceShare, EndReason, NamedTask, NothingRan, Round, TuneEvent } from "./tuner/events.js";
export type { Dtype, NetworkInput } from "./tuner/inputs.js";
export { FAST_DEFAULTS, TUNE_DEFAULTS, TUNE_MODES, type TuneMode, type TuneOptions } from "./tuner/options.js";
export { type ExtractedTasks, extractTasks, type NetworkOptions } from "./tuner/tasks.js";
export {
  type InferenceTime,
  type TuneNetworkOptions,
  tuneNetworkGpu,
  tuneNetworkX86,
} from "./tuner/tune-network.js";
export { Tuner, tune } from "./tuner/tuner.js";
export { type CostModelPlan, planCostModels } from "./tuning/cost-models.js";
export { type Families, groupFamilies } from "./tuning/families.js";
export {
  type FastAction,
  type FastReason,
  FastScheduler,
  type FastSchedulerOptions,
} from "./tuning/fast-scheduler.js";
export { type Objective, weightedSum } from "./tuning/objective.js";
export { type Draw, seededDraw } from "./tuning/random.js";
export { DEFAULT_MEANS, type Means, type Origin, type Recipe } from "./tuning/recipe.js";
export {
  type Action,
  type DeathReason,
  type RoundOutcome,
  Scheduler,
  type SchedulerOptions,
  type SearchReason,
  type StopReason,
} from "./tuning/scheduler.js";
export { parseSearchPolicy, type SearchPolicy, searchPolicyNames } from "./tuning/search-policy.js";
export { type Task, UNMEASURED_COST } from "./tuning/task.js";
export { CHANNELS, type ChannelName } from "./worker/channel.js";
export { startWorker, type WorkerOptions } from "./worker/start.js";
export { Worker } from "./worker/worker.js";
