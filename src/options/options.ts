import type { FastFlags } from "../core/fast/flags.js";
import type { Objective } from "../core/objective.js";
import type { Strategy } from "../core/search-policy.js";
import type { NetworkInput } from "../network/inputs.js";
import type { TrainingSettings } from "../protocol/operations/register.js";
import type { TunerName } from "../tuner-name.js";
import type { ChannelName } from "../worker/channel.js";

export const TUNE_MODES = ["reference", "fast"] as const;
export type TuneMode = (typeof TUNE_MODES)[number];

/** The options of both modes. table.ts says all else of each: its flag, its default, what depends on it. */
export interface CommonTuneOptions {
  /** Name of a network, see `familyseer tune --help`. */
  readonly model: string;
  /** Programs to measure in all. */
  readonly trials: number;
  /**
   * The file records are appended to, or, for MetaSchedule, the folder of its database, which is made; the journal and the cost
   * models are written beside the records.
   */
  readonly log: string;
  /** Inputs of the network in one run. */
  readonly batch?: number;
  /** Of the data of convolutions. */
  readonly layout?: "NHWC" | "NCHW";
  /** Of a network from a file: what the file leaves open of its inputs. */
  readonly inputs?: readonly NetworkInput[];
  /** A TVM target; `native` is this machine's CPU. */
  readonly target?: string;
  /**
   * How programs are searched, which cost model ranks them, and by what tasks form families: `sketch.xgb.family_op` with Ansor,
   * `meta.xgb.family_op` with MetaSchedule, which are also what null stands for.
   */
  readonly searchPolicy?: string | null;
  /** Tune only these of the network's tasks, by their numbers. */
  readonly onlyTasks?: readonly number[] | null;
  /** Programs of a round; null, in the fast mode: by how many builders and devices there are. */
  readonly trialsPerRound?: number | null;
  /**
   * Programs of a foresee round; 0, in the reference mode: there are none; null, in the fast mode: half of a round's.
   */
  readonly foreseeTrials?: number | null;
  /** Of everything that is drawn. */
  readonly seed?: number;
  /** Stop after this many programs without a better objective. */
  readonly earlyStopping?: number | null;
  /** Stop a task after this many programs without a better one. */
  readonly taskEarlyStopping?: number | null;
  /** What to make small; the default is the sum of latencies times weights. Any other is asked once per task and decision. */
  readonly objective?: Objective;
  /** Go on with the job of `log`, by its journal; without one from the records alone. */
  readonly resume?: boolean;
  /** Wait until no other job writes to `log`, in place of an error. */
  readonly wait?: boolean;
  /** Take records that were measured for other targets, too. */
  readonly acceptOtherTargets?: boolean;
  /** An earlier log, or the folder of a database, whose records count as measured and train the cost models. */
  readonly loadLog?: string | null;
  /** A folder of cost models an earlier run saved; the fast mode takes its best schedules, too. */
  readonly loadModels?: string | null;
  /** How cost models are trained: `bounded` in cost as records grow, or `reference`, exactly as TVM does. */
  readonly training?: TrainingSettings["mode"];
  /** Where `bounded` training runs; `auto` is CUDA where the worker's xgboost can, else the CPU. */
  readonly trainDevice?: TrainingSettings["device"];
  /** Programs in each generation of the evolutionary search; null: as TVM's own search with the tuner has. */
  readonly population?: number | null;
  /** Generations of the evolutionary search. */
  readonly generations?: number;
  /** Seconds to build a program. */
  readonly buildTimeout?: number;
  /** Seconds to run a program. */
  readonly runTimeout?: number;
  /** Runs of a program per repeat of its timing. */
  readonly number?: number;
  /** Repeats of timing a program. */
  readonly repeat?: number;
  /** The least time of a repeat, in milliseconds. */
  readonly minRepeatMs?: number;
  /** Give builds up that take many times as long as the task's others, long before `buildTimeout`. */
  readonly adaptiveBuildTimeout?: boolean;
  /** Time a program no further that is, in its first run, so many times slower than the task's best; null: always. */
  readonly worseRatio?: number | null;
  /**
   * Time programs again that other work on this machine's CPU disturbed and that may be their task's best; the others that it
   * disturbed train no model.
   */
  readonly retime?: boolean;
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
  /** The key of the servers that `tracker` has. */
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
  /** The Python that has TVM; the one that set-up installed if left out. */
  readonly tvmPython?: string | undefined;
  /**
   * What is to search: `ansor`, TVM's auto-scheduler, or `metaschedule`. Decides which installed TVM is taken; left out, the
   * auto-scheduler's where it is installed, and for a job that goes on its own.
   */
  readonly tuner?: TunerName | undefined;
  /** How to talk to Python. */
  readonly channel?: ChannelName;
  /** Where the ZeroMQ channel listens; `ipc` in a folder of its own if left out. */
  readonly endpoint?: string | undefined;
  /** The folder of keys for a worker that the user starts elsewhere, which is then waited for. */
  readonly keys?: string | undefined;
  /** Told each line that the workers' processes print, TVM's warnings among them. */
  readonly onOutput?: ((line: string) => void) | undefined;
  /** Ends the job: what is measured of the round in progress is recorded, and a summary follows. */
  readonly signal?: AbortSignal | undefined;
}

/** What the reference mode alone decides by: TVM's own names. */
export interface ReferenceSettings {
  /** How the next task is chosen. */
  readonly strategy?: Strategy;
  /** Weight of the past in a gradient. */
  readonly alpha?: number;
  /** How much slower than its like a task may be. */
  readonly beta?: number;
  /** Kept for TVM's sake; decides nothing. */
  readonly gamma?: number;
  /** Rounds that a gradient looks back. */
  readonly backwardWindow?: number;
  /** Programs of a task at most; null: no limit. MetaSchedule's own scheduler has it, a policy of two parts. */
  readonly trialsPerTask?: number | null;
  /** Search a task no further if no program ran of it in warm-up. */
  readonly giveUpUnmeasured?: boolean;
}

/** What the fast mode alone works with. */
export interface FastSettings {
  /**
   * The folder of the library of earlier jobs, which a job begins with and adds to; null: none. Left out: `$FAMILYSEER_LIBRARY`, or
   * `library` in the home folder.
   */
  readonly library?: string | null | undefined;
}

interface FlagsOfFastMode extends FastFlags, FastSettings {
  /** @deprecated These flags are options themselves. */
  readonly means?: FastFlags;
}

type Without<Other> = { readonly [Name in keyof Other]?: never };

/** A job that decides as the paper does, one for one. */
export interface ReferenceTuneOptions extends CommonTuneOptions, ReferenceSettings, Without<FlagsOfFastMode> {
  readonly mode: "reference";
}

/** A job that decides by whatever has proved to save time. */
export interface FastTuneOptions extends CommonTuneOptions, FlagsOfFastMode, Without<ReferenceSettings> {
  readonly mode?: "fast";
}

/** What to tune, how long, and how. Everything but the network, the trials and the log has a default. */
export type TuneOptions = ReferenceTuneOptions | FastTuneOptions;
