import { TUNE_DEFAULTS } from "../options/defaults.js";
import type { CommonTuneOptions } from "../options/options.js";
import type { TunerName } from "../tuner-name.js";
import type { Device, Settings } from "./experiment.js";

/** What one run tunes, and what it may spend: the same for all methods. */
export type Budget = Pick<CommonTuneOptions, "model" | "trials"> & Partial<CommonTuneOptions>;

/** Two convolutions and two depthwise ones of mobilenetv2_0.5, the same for both tuners, in the same places for both targets. */
const SOME_TASKS = {
  ansor: [3, 10, 14, 31],
  metaschedule: [17, 18, 13, 7],
} as const satisfies Record<TunerName, readonly number[]>;

/** Ansor's way, made small: a sixteenth of its population, and rounds of an eighth of the programs. */
const SMALL = {
  trialsPerRound: 8,
  foreseeTrials: 2,
  population: 128,
  generations: 2,
  number: 1,
  minRepeatMs: 20,
} as const satisfies Partial<CommonTuneOptions>;
/** Twice as many programs in a round: what a simulated round takes is its search. */
const SMALL_SIMULATED = {
  ...SMALL,
  trialsPerRound: 16,
  foreseeTrials: 4,
} as const satisfies Partial<CommonTuneOptions>;
const SMALL_TRIALS = { cpu: 80, cuda: 128, simulated: 160 } as const satisfies Record<Device, number>;
const SMALL_TRIALS_PER_TASK = 6;

/** The paper's (scripts/tune_network_gpu.py of its artifact). */
const PAPER = { trialsPerRound: 64, foreseeTrials: 16, minRepeatMs: 300 } as const satisfies Partial<CommonTuneOptions>;
const PAPER_TRIALS_PER_TASK = 900;

/** Tasks of the networks, for the budget and the estimate (data/paper/networks, docs/networks.md). */
const TASKS: Readonly<Record<string, number>> = {
  resnet50_v1: 25,
  "mobilenet0.5": 22,
  "mobilenetv2_0.5": 34,
  vit_huge: 13,
  bert_large: 11,
  gpt2: 10,
  mlp: 4,
};
const TASKS_OF_OTHERS = 30;

export const PAPER_NETWORKS = [
  "resnet50_v1",
  "resnet152_v2",
  "mobilenet0.5",
  "mobilenetv2_0.5",
  "vit_huge",
  "bert_large",
  "roberta_large",
  "gpt2",
] as const;

/**
 * Seconds in the reference mode; measured on two cores (cpu, simulated), published (cuda). A simulated round takes what its
 * search takes, however few its programs: at the small scale 6 on one machine, 20 on a slower, busy one.
 */
const SECONDS = {
  small: { cpu: { program: 0.4, round: 0 }, cuda: { program: 0.8, round: 0 }, simulated: { program: 0, round: 12 } },
  paper: { cpu: { program: 1.2, round: 0 }, cuda: { program: 1.8, round: 0 }, simulated: { program: 0, round: 25 } },
} as const;

/** How many times as long MetaSchedule takes: its programs take longer to make and to build. */
const SLOWER = { ansor: 1, metaschedule: 2.5 } as const satisfies Record<TunerName, number>;

export function secondsOf({ scale, device, tuner }: Settings, budget: Budget): number {
  const { program, round } = SECONDS[scale][device];
  return SLOWER[tuner] * (budget.trials * program + roundsOf(budget) * round);
}

/** Each task has at least one. */
function roundsOf({ model, trials, onlyTasks, trialsPerRound }: Budget): number {
  const programs = trialsPerRound ?? TUNE_DEFAULTS.trialsPerRound;
  return Math.max(onlyTasks?.length ?? tasksOf(model), Math.ceil(trials / programs));
}

function tasksOf(model: string): number {
  return TASKS[model] ?? TASKS_OF_OTHERS;
}

export function seedsOf({ seeds, scale }: Settings): readonly number[] {
  return seeds ?? (scale === "small" ? [0] : [0, 1, 2]);
}

/** For experiments on the search alone: some tasks of one network at the small scale, else as `wholeNetworks`. */
export function searchBudgets(settings: Settings): Budget[] {
  if (settings.scale === "paper" || settings.networks) {
    return wholeNetworks(settings, PAPER_NETWORKS);
  }
  return [
    {
      model: "mobilenetv2_0.5",
      onlyTasks: SOME_TASKS[settings.tuner],
      trials: SMALL_TRIALS[settings.device],
      ...small(settings),
    },
  ];
}

/** For experiments on a network's latency; `ofSmallScale` are the networks of the small one. */
export function wholeNetworks(
  settings: Settings,
  ofSmallScale: readonly string[],
  smallTrialsPerTask = SMALL_TRIALS_PER_TASK,
): Budget[] {
  const { scale, networks } = settings;
  return (networks ?? (scale === "paper" ? PAPER_NETWORKS : ofSmallScale)).map((model) => {
    const tasks = tasksOf(model);
    return scale === "paper"
      ? { model, trials: PAPER_TRIALS_PER_TASK * (tasks + 1), ...PAPER }
      : { model, trials: smallTrialsPerTask * tasks, ...small(settings) };
  });
}

function small({ device }: Settings) {
  return device === "simulated" ? SMALL_SIMULATED : SMALL;
}
