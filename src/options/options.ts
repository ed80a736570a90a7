import { DEFAULT_FAST_FLAGS, type FastFlags } from "../core/fast/flags.js";
import type { Objective } from "../core/objective.js";
import type { Strategy } from "../core/search-policy.js";
import type { NetworkInput } from "../network/inputs.js";
import type { TrainingSettings } from "../protocol/operations/register.js";
import { isCuda } from "../target.js";
import type { ChannelName } from "../worker/channel.js";

export const TUNE_MODES = ["reference", "fast"] as const;
export type TuneMode = (typeof TUNE_MODES)[number];

/** What to tune, how long, and how. Everything but the network, the trials and the log has a default. */
export interface TuneOptions extends FastFlags {
  /** Name of a network, see `familyseer tune --help`. */
  readonly model: string;
  /** Programs to measure in all. */
  readonly trials: number;
  /** The file records are appended to; the journal and the cost models are written beside it. */
  readonly log: string;
  readonly batch?: number;
  readonly layout?: "NHWC" | "NCHW";
  /** Of a network from a file: what the file leaves open of its inputs. */
  readonly inputs?: readonly NetworkInput[];
  /** A TVM target; `native` is this machine's CPU. */
  readonly target?: string;
  readonly searchPolicy?: string;
  /** `reference`: the paper's decisions, one for one; `fast`: whatever has proved to save time. */
  readonly mode?: TuneMode;
  /** @deprecated These flags of the fast mode are options themselves. */
  readonly means?: FastFlags;
  /** Tune only these of the network's tasks, by their numbers. */
  readonly onlyTasks?: readonly number[] | null;
  readonly trialsPerRound?: number;
  readonly foreseeTrials?: number;
  readonly seed?: number;
  readonly strategy?: Strategy;
  readonly alpha?: number;
  readonly beta?: number;
  readonly gamma?: number;
  readonly backwardWindow?: number;
  /** Stop after this many programs without a better objective. */
  readonly earlyStopping?: number | null;
  /** Stop a task after this many programs without a better one. */
  readonly taskEarlyStopping?: number | null;
  /** Search a task no further if no program ran of it in warm-up. */
  readonly giveUpUnmeasured?: boolean;
  /** What to make small; the default is the sum of latencies times weights. Any other is asked once per task and decision. */
  readonly objective?: Objective;
  /** Go on with the job of `log`, by its journal; without one from the records alone. */
  readonly resume?: boolean;
  /** Wait until no other job writes to `log`, in place of an error. */
  readonly wait?: boolean;
  /** Take records that were measured for other targets, too. */
  readonly acceptOtherTargets?: boolean;
  /** An earlier log whose records count as measured and train the cost models. */
  readonly loadLog?: string | null;
  /** A folder of cost models an earlier run saved; the fast mode takes its best schedules, too. */
  readonly loadModels?: string | null;
  /** How cost models are trained: `bounded` in cost as records grow, or `reference`, exactly as TVM does. */
  readonly training?: TrainingSettings["mode"];
  /** Where `bounded` training runs; `auto` is CUDA where the worker's xgboost can, else the CPU. */
  readonly trainDevice?: TrainingSettings["device"];
  /** Programs in each generation of the evolutionary search, and generations. */
  readonly population?: number;
  readonly generations?: number;
  readonly buildTimeout?: number;
  readonly runTimeout?: number;
  /** Timing of one program: runs per repeat, repeats, and the least time of a repeat in milliseconds. */
  readonly number?: number;
  readonly repeat?: number;
  readonly minRepeatMs?: number;
  /** Give builds up that take many times as long as the task's others, long before `buildTimeout`. */
  readonly adaptiveBuildTimeout?: boolean;
  /** Time a program no further that is, in its first run, so many times slower than the task's best; null: always. */
  readonly worseRatio?: number | null;
  /** Programs built at once; 0: as many as there are CPUs. */
  readonly parallel?: number;
  /**
   * Threads that a program on this machine's CPU runs on; null: as the environment's TVM_NUM_THREADS says, else one for each
   * real core that this process may use.
   */
  readonly threads?: number | null;
  /** CUDA GPUs of this machine to measure on; only for a CUDA target. Several: each behind a TVM RPC server of ours. */
  readonly gpus?: number;
  /** Measure on the servers that this TVM RPC tracker, `host:port`, has with `deviceKey`. */
  readonly tracker?: string;
  readonly deviceKey?: string;
  /**
   * For experiments on schedulers: times are made up by a model of a V100, and every record says so (docs/simulated-gpu.md).
   * The target is `cuda`, or left out.
   */
  readonly simulated?: boolean;
  /** Search and build for the next round while the devices measure; left out: where they are GPUs. */
  readonly overlap?: boolean | undefined;
  /** Processes that search, each with families of its own, where it goes on while the devices measure (`overlap`). */
  readonly workers?: number;
  readonly tvmPython?: string | undefined;
  readonly channel?: ChannelName;
  readonly endpoint?: string | undefined;
  readonly keys?: string | undefined;
  /** Told each line that the workers' processes print, TVM's warnings among them. */
  readonly onOutput?: ((line: string) => void) | undefined;
  /** Ends the job: what is measured of the round in progress is recorded, and a summary follows. */
  readonly signal?: AbortSignal | undefined;
}

export const TUNE_DEFAULTS = {
  batch: 1,
  layout: "NHWC",
  inputs: [],
  target: "native",
  searchPolicy: "sketch.xgb.family_op",
  mode: "fast",
  onlyTasks: null,
  trialsPerRound: 64,
  foreseeTrials: 16,
  seed: 0,
  strategy: "gradient",
  alpha: 0.2,
  beta: 2,
  gamma: 0.5,
  backwardWindow: 3,
  earlyStopping: null,
  taskEarlyStopping: null,
  giveUpUnmeasured: true,
  resume: false,
  wait: false,
  acceptOtherTargets: false,
  loadLog: null,
  loadModels: null,
  training: "bounded",
  trainDevice: "cpu",
  population: 2048,
  generations: 4,
  buildTimeout: 15,
  runTimeout: 10,
  number: 3,
  repeat: 1,
  minRepeatMs: 100,
  adaptiveBuildTimeout: true,
  worseRatio: 2,
  parallel: 0,
  threads: null,
  workers: 1,
  channel: "zeromq",
  ...DEFAULT_FAST_FLAGS,
} as const satisfies Partial<TuneOptions>;

/** What the fast mode sets otherwise. */
export const FAST_DEFAULTS = {
  trialsPerRound: 8,
  foreseeTrials: 4,
} as const satisfies Partial<TuneOptions>;

export type CompleteTuneOptions = Omit<TuneOptions, "means"> & Required<Pick<TuneOptions, keyof typeof TUNE_DEFAULTS>>;

/**
 * Whether the search goes on while devices measure. On this machine's CPU it would spoil the timing; beside a simulation, which
 * takes no time, it wins something in other processes only.
 */
export function overlaps({ overlap, target, simulated, workers }: CompleteTuneOptions): boolean {
  return overlap ?? (isCuda(target) && (simulated !== true || workers > 1));
}

/** What only the reference decides by. */
const OF_REFERENCE = ["strategy", "alpha", "beta", "backwardWindow", "giveUpUnmeasured"] as const;

/** What was asked for and has no say in the mode that was asked for, in a user's words. */
export function withoutEffect(options: CompleteTuneOptions): string[] {
  return [...withoutEffectOnSpeed(options), ...withoutEffectInMode(options)];
}

function withoutEffectOnSpeed(options: CompleteTuneOptions): string[] {
  return options.workers > 1 && !overlaps(options)
    ? ["workers has no effect where nothing is searched while a round is measured; --overlap does that."]
    : [];
}

function withoutEffectInMode(options: CompleteTuneOptions): string[] {
  if (options.mode === "fast") {
    const set = OF_REFERENCE.filter((name) => options[name] !== TUNE_DEFAULTS[name]);
    return set.map((name) => `${name} has no effect in fast mode; --mode reference decides by it.`);
  }
  const names = Object.keys(DEFAULT_FAST_FLAGS) as (keyof FastFlags)[];
  const set = names.filter((name) => options[name] !== DEFAULT_FAST_FLAGS[name]);
  return set.map((name) => `${name} is a flag of the fast mode; the reference mode is without it anyway.`);
}
