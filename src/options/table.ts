import { DEFAULT_FAST_FLAGS, type FastFlags } from "../core/fast/flags.js";
import { SCHEDULER_DEFAULTS } from "../core/reference/options.js";
import { STRATEGIES } from "../core/search-policy.js";
import { parseInput } from "../network/inputs.js";
import { TUNERS } from "../tuner-name.js";
import { CHANNELS } from "../worker/channel.js";
import type { Entries } from "./entry.js";
import {
  type CommonTuneOptions,
  type FastSettings,
  type ReferenceSettings,
  TUNE_MODES,
  type TuneMode,
} from "./options.js";
import { decimal, wholeNumber, wholeNumbers } from "./parsers.js";

/**
 * Every option once, in the order of the help. A new one is an entry here and its line in options.ts, which says what it means;
 * the command line, the defaults, the journal's check and the worker's settings follow.
 */
const COMMON = {
  model: {
    flag: "--model <name|path>",
    // The paper's eight come first; docs/networks.md has all.
    help:
      "resnet50_v1, resnet152_v2, mobilenet0.5, mobilenetv2_0.5, vit_huge, bert_large, roberta_large, gpt2, one of " +
      "docs/networks.md (resnet-18, mlp, ...), or a file: .json (Relay, Relax), .onnx, .pt (TorchScript), .pt2 (torch.export)",
    group: "required",
    required: true,
    decides: true,
  },
  // A job that goes on may have more.
  trials: {
    flag: "--trials <n>",
    help: "programs to measure in all; fewer where no task is left, or too little is to be gained (--least-gain)",
    group: "required",
    required: true,
    parse: wholeNumber,
    decides: false,
  },
  log: {
    flag: "--log <file>",
    help: "file that records are appended to, or, for MetaSchedule, the folder of a database; the journal is beside them",
    group: "required",
    required: true,
    decides: false,
  },

  target: {
    flag: "--target <target>",
    help: "TVM target; native is this machine's CPU",
    group: "usual",
    default: "native",
    decides: true,
  },
  batch: { flag: "--batch <n>", help: "batch size", group: "usual", parse: wholeNumber, default: 1, decides: true },
  inputs: {
    flag: "--input <name:sizes:dtype>",
    help: "an input that a file leaves open, e.g. image:1x3x224x224 or ids:1x128:int64 (repeatable; docs/networks.md)",
    group: "usual",
    add: (text, before = []) => [...before, parseInput(text)],
    default: [],
    decides: true,
    anyOrder: true,
  },
  layout: {
    flag: "--layout <layout>",
    help: "data layout",
    group: "usual",
    choices: ["NHWC", "NCHW"],
    default: "NHWC",
    decides: true,
  },
  mode: {
    flag: "--mode <name>",
    help: "decide as the paper does, or by all that saves time (docs/fast.md)",
    group: "usual",
    choices: TUNE_MODES,
    default: "fast",
    decides: true,
  },
  resume: {
    flag: "--resume",
    help: "go on with the job of --log, which was killed, ended or asked for fewer --trials",
    group: "usual",
    default: false,
    decides: false,
  },
  wait: {
    flag: "--wait",
    help: "wait until no other job writes to --log",
    group: "usual",
    default: false,
    decides: false,
  },
  loadLog: {
    flag: "--load-log <file>",
    help: "take over the records of an earlier log, or of the folder of a database",
    group: "usual",
    default: null,
    decides: true,
  },
  loadModels: {
    flag: "--load-models <folder>",
    help: "start from cost models, and in fast mode from schedules, that an earlier run saved",
    group: "usual",
    default: null,
    decides: true,
  },
  acceptOtherTargets: {
    flag: "--accept-other-targets",
    help: "take records that were measured for other targets, too",
    group: "usual",
    default: false,
    decides: true,
  },

  // Null is the tuner's own; which that was, the journal says.
  searchPolicy: {
    flag: "--search-policy <name>",
    help:
      "search, cost model, families: sketch.xgb.family_op, _hash or _ind with Ansor, meta.xgb... with MetaSchedule; " +
      "with two parts the reference mode decides as TVM's own scheduler (default: the tuner's .xgb.family_op)",
    group: "search",
    default: null,
    decides: true,
  },
  onlyTasks: {
    flag: "--only-tasks <ids>",
    help: "tune only these tasks, by the numbers that `familyseer tasks` lists, e.g. 3,4,11",
    group: "search",
    parse: wholeNumbers,
    default: null,
    decides: true,
    anyOrder: true,
  },
  trialsPerRound: {
    flag: "--trials-per-round <n>",
    help: "programs of a round",
    group: "search",
    parse: wholeNumber,
    default: 64,
    inFast: null,
    decides: true,
  },
  foreseeTrials: {
    flag: "--foresee-trials <n>",
    help: "programs of a foresee round; 0, in reference mode: none",
    group: "search",
    parse: wholeNumber,
    default: SCHEDULER_DEFAULTS.foreseeTrials,
    inFast: null,
    decides: true,
  },
  earlyStopping: {
    flag: "--early-stopping <n>",
    help: "stop after n programs without improvement",
    group: "search",
    parse: wholeNumber,
    default: null,
    decides: true,
  },
  taskEarlyStopping: {
    flag: "--task-early-stopping <n>",
    help: "stop a task after n programs without improvement",
    group: "search",
    parse: wholeNumber,
    default: null,
    decides: true,
  },
  objective: {
    decides: true,
    // A function cannot be told from another.
    journaled: (objective) => (objective ? "custom" : "weighted sum"),
  },
  seed: {
    flag: "--seed <n>",
    help: "seed of everything that is drawn",
    group: "search",
    parse: wholeNumber,
    default: 0,
    decides: true,
    wire: ["search", "seed"],
  },
  // Null, too, is the tuner's own.
  population: {
    flag: "--population <n>",
    help: "programs of a generation of the search (default: 2048 with Ansor, 512 with MetaSchedule, as TVM)",
    group: "search",
    parse: wholeNumber,
    default: null,
    decides: true,
    wire: ["search", "population"],
  },
  generations: {
    flag: "--generations <n>",
    help: "generations of the search",
    group: "search",
    parse: wholeNumber,
    default: 4,
    decides: true,
    wire: ["search", "generations"],
  },
  training: {
    flag: "--training <mode>",
    help: "cost of training: bounded, or as TVM's own",
    group: "search",
    choices: ["bounded", "reference"],
    default: "bounded",
    decides: true,
    wire: ["training", "mode"],
  },
  trainDevice: {
    flag: "--train-device <name>",
    help: "where bounded training runs",
    group: "search",
    choices: ["cpu", "cuda", "auto"],
    default: "cpu",
    decides: false,
    wire: ["training", "device"],
  },

  buildTimeout: {
    flag: "--build-timeout <s>",
    help: "seconds to build a program",
    group: "measuring",
    parse: wholeNumber,
    default: 15,
    decides: false,
    wire: ["building", "build_timeout"],
  },
  adaptiveBuildTimeout: {
    flag: "--no-adaptive-build-timeout",
    help: "give every build the whole of --build-timeout",
    group: "measuring",
    default: true,
    decides: true,
    wire: ["building", "adaptive_build_timeout"],
  },
  runTimeout: {
    flag: "--run-timeout <s>",
    help: "seconds to run a program",
    group: "measuring",
    parse: wholeNumber,
    default: 10,
    decides: false,
    wire: ["timing", "timeout"],
  },
  number: {
    flag: "--number <n>",
    help: "runs of a program per repeat",
    group: "measuring",
    parse: wholeNumber,
    default: 3,
    decides: true,
    wire: ["timing", "number"],
  },
  repeat: {
    flag: "--repeat <n>",
    help: "repeats of timing a program",
    group: "measuring",
    parse: wholeNumber,
    default: 1,
    decides: true,
    wire: ["timing", "repeat"],
  },
  minRepeatMs: {
    flag: "--min-repeat-ms <n>",
    help: "least time of a repeat",
    group: "measuring",
    parse: wholeNumber,
    default: 100,
    decides: true,
    wire: ["timing", "min_repeat_ms"],
  },
  worseRatio: {
    flag: "--worse-ratio <x>",
    help: "time no further what is so many times slower than the best",
    group: "measuring",
    parse: decimal,
    off: { flag: "--no-worse-ratio", help: "time every program to the end, as TVM does", value: null },
    default: 2,
    decides: true,
    wire: ["building", "worse_ratio"],
  },
  // What came of it the journal says of each program.
  retime: {
    flag: "--retime",
    help: "time again what other work on this machine disturbed and may be the best (default: in fast mode)",
    group: "measuring",
    off: { flag: "--no-retime", help: "take every timing as it is", value: false },
    default: false,
    inFast: true,
    decides: false,
    wire: ["building", "retime"],
  },
  // Workers share the builders, each of which is told its part.
  parallel: {
    flag: "--parallel <n>",
    help: "programs built at once; 0: as many as there are CPUs",
    group: "measuring",
    parse: wholeNumber,
    default: 0,
    decides: false,
  },
  threads: {
    flag: "--threads <n>",
    help: "threads that programs run on (default: $TVM_NUM_THREADS, or one for each real core)",
    group: "measuring",
    parse: wholeNumber,
    default: null,
    decides: false,
  },

  gpus: {
    flag: "--gpus <n>",
    help: "measure on so many GPUs of this machine at once",
    group: "devices",
    parse: wholeNumber,
    decides: false,
  },
  tracker: {
    flag: "--tracker <host:port>",
    help: "measure on the servers of this TVM RPC tracker (docs/devices.md)",
    group: "devices",
    decides: false,
  },
  deviceKey: {
    flag: "--device-key <key>",
    help: "key of the servers to measure on",
    group: "devices",
    decides: false,
  },
  // Its target decides.
  simulated: { decides: false },
  overlap: {
    flag: "--overlap",
    help: "search, build and learn while the devices measure (default: on GPUs)",
    group: "devices",
    off: { flag: "--no-overlap", help: "wait for each round before the next is searched", value: false },
    decides: false,
  },
  workers: {
    flag: "--workers <n>",
    help: "search in so many processes, each with families of its own, while the devices measure",
    group: "devices",
    parse: wholeNumber,
    default: 1,
    decides: false,
  },

  tvmPython: {
    flag: "--tvm-python <path>",
    help: "use this Python with TVM instead of the installed one (also $FAMILYSEER_TVM_PYTHON; both: the same)",
    group: "connection",
    decides: false,
  },
  // Which it came to, the journal says beside the options.
  tuner: {
    flag: "--tuner <name>",
    help: "tune by TVM 0.18's auto-scheduler, or by today's TVM's MetaSchedule (default: what the Python has)",
    group: "connection",
    choices: TUNERS,
    decides: false,
  },
  channel: {
    flag: "--channel <name>",
    help: "how to talk to Python",
    group: "connection",
    choices: CHANNELS,
    default: "zeromq",
    decides: false,
  },
  endpoint: {
    flag: "--endpoint <address>",
    help: "where the zeromq channel listens: ipc://PATH or tcp://127.0.0.1:PORT",
    group: "connection",
    decides: false,
  },
  keys: {
    flag: "--keys <folder>",
    help: "wait at --endpoint tcp://ADDRESS:PORT for a worker with keys that fit (familyseer keys)",
    group: "connection",
    decides: false,
  },
  onOutput: { decides: false, journaled: () => undefined },
  signal: { decides: false, journaled: () => undefined },
} as const satisfies Entries<CommonTuneOptions & { readonly mode?: TuneMode }>;

/** What has an effect in the reference mode alone. */
export const OF_REFERENCE = {
  strategy: {
    flag: "--strategy <name>",
    help: "how tasks are chosen (reference mode)",
    group: "experiments",
    choices: STRATEGIES,
    default: SCHEDULER_DEFAULTS.strategy,
    decides: true,
  },
  alpha: {
    flag: "--alpha <x>",
    help: "weight of the past in a gradient (reference mode)",
    group: "experiments",
    parse: decimal,
    default: SCHEDULER_DEFAULTS.alpha,
    decides: true,
  },
  beta: {
    flag: "--beta <x>",
    help: "how much slower than its like a task may be (reference mode)",
    group: "experiments",
    parse: decimal,
    default: SCHEDULER_DEFAULTS.beta,
    decides: true,
  },
  gamma: {
    flag: "--gamma <x>",
    help: "kept for TVM's sake, decides nothing",
    group: "experiments",
    parse: decimal,
    default: SCHEDULER_DEFAULTS.gamma,
    decides: true,
    withoutEffect: true,
  },
  backwardWindow: {
    flag: "--backward-window <n>",
    help: "rounds a gradient looks back (reference mode)",
    group: "experiments",
    parse: wholeNumber,
    default: SCHEDULER_DEFAULTS.backwardWindow,
    decides: true,
  },
  trialsPerTask: {
    flag: "--trials-per-task <n>",
    help: "programs of a task at most (reference mode, search policies of MetaSchedule with two parts)",
    group: "experiments",
    parse: wholeNumber,
    default: null,
    decides: true,
  },
  giveUpUnmeasured: { default: SCHEDULER_DEFAULTS.giveUpUnmeasured, decides: true },
} as const satisfies Entries<ReferenceSettings>;

/** What has an effect in the fast mode alone. */
export const OF_FAST = {
  // A job that goes on takes what its journal says it began with.
  library: {
    flag: "--library <folder>",
    help:
      "fast mode: begin with what earlier jobs for this target found, and add to it (default: $FAMILYSEER_LIBRARY, or " +
      "library in the home folder; docs/fast.md)",
    group: "usual",
    off: { flag: "--no-library", help: "begin with nothing, and keep nothing for later jobs", value: null },
    decides: false,
  },
  shareSchedules: {
    flag: "--no-share-schedules",
    help: "fast mode without fitting siblings' best schedules",
    group: "experiments",
    default: DEFAULT_FAST_FLAGS.shareSchedules,
    decides: true,
  },
  shareAcross: {
    flag: "--no-share-across",
    help: "fast mode that fits schedules only between tasks of one compute DAG",
    group: "experiments",
    default: DEFAULT_FAST_FLAGS.shareAcross,
    before: null,
    decides: true,
  },
  descent: {
    flag: "--descent",
    help: "fast mode with moves of single tile sizes in every round (default: false)",
    group: "experiments",
    default: DEFAULT_FAST_FLAGS.descent,
    decides: true,
  },
  stalledDescent: {
    flag: "--no-stalled-descent",
    help: "fast mode without such moves where a task's search has stalled",
    group: "experiments",
    default: DEFAULT_FAST_FLAGS.stalledDescent,
    before: false,
    decides: true,
  },
  draft: {
    flag: "--no-draft",
    help: "fast mode without the analytic draft of the first programs",
    group: "experiments",
    default: DEFAULT_FAST_FLAGS.draft,
    decides: true,
  },
  foreseeByGain: {
    flag: "--no-foresee-by-gain",
    help: "fast mode without foresee rounds where the model expects most",
    group: "experiments",
    default: DEFAULT_FAST_FLAGS.foreseeByGain,
    decides: true,
  },
  gainPerSecond: {
    flag: "--no-gain-per-second",
    help: "fast mode that counts programs, not seconds",
    group: "experiments",
    default: DEFAULT_FAST_FLAGS.gainPerSecond,
    decides: true,
  },
  adaptivePopulation: {
    flag: "--no-adaptive-population",
    help: "fast mode with --population and --generations throughout",
    group: "experiments",
    default: DEFAULT_FAST_FLAGS.adaptivePopulation,
    decides: true,
  },
  // A job that goes on may be asked for less, after it stopped by it.
  leastGain: {
    flag: "--least-gain <x>",
    help: "fast mode: stop where as many programs again are expected to gain less than this share of the latency",
    group: "search",
    parse: decimal,
    off: { flag: "--no-least-gain", help: "fast mode: measure all of --trials, however little they gain", value: null },
    default: DEFAULT_FAST_FLAGS.leastGain,
    before: null,
    decides: false,
  },
  judgeByEarlier: {
    flag: "--no-judge-by-earlier",
    help: "fast mode that judges a cost model by the pairs of a round alone",
    group: "experiments",
    default: DEFAULT_FAST_FLAGS.judgeByEarlier,
    before: false,
    decides: true,
  },
  sizedLooks: {
    flag: "--no-sized-looks",
    help: "fast mode that looks as long at tasks of little work",
    group: "experiments",
    default: DEFAULT_FAST_FLAGS.sizedLooks,
    decides: true,
  },
  roofline: {
    flag: "--no-roofline",
    help: "fast mode that does not know what this machine can do at most",
    group: "experiments",
    default: DEFAULT_FAST_FLAGS.roofline,
    decides: true,
  },
  roofMargin: {
    flag: "--roof-margin <x>",
    help: "fast mode: a task is done within this share of what this machine can do",
    group: "experiments",
    parse: decimal,
    default: DEFAULT_FAST_FLAGS.roofMargin,
    before: 0.1,
    decides: true,
  },
  longOutlook: {
    flag: "--no-long-outlook",
    help: "fast mode that expects of a task what its last rounds gained",
    group: "experiments",
    default: DEFAULT_FAST_FLAGS.longOutlook,
    before: false,
    decides: true,
  },
} as const satisfies Entries<FastFlags & FastSettings>;

export const OPTIONS = { ...COMMON, ...OF_REFERENCE, ...OF_FAST } as const;

/** Every option, whatever the mode. */
export type AllOptions = CommonTuneOptions & { readonly mode?: TuneMode } & ReferenceSettings &
  FastFlags &
  FastSettings;
export type OptionName = keyof typeof OPTIONS;
