import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { FastFlags } from "../core/fast/flags.js";
import { SEARCH_OF } from "../core/search-policy.js";
import { CancelledError } from "../errors.js";
import { requireRan } from "../job/attempts.js";
import { tune } from "../job/tuner.js";
import { evaluate } from "../network/evaluate.js";
import { FAST_DEFAULTS, TUNE_DEFAULTS } from "../options/defaults.js";
import type { TuneOptions } from "../options/options.js";
import { logRecords } from "../records/log.js";
import { SIMULATED_TARGET } from "../target.js";
import { TUNER_WORDS, type TunerName } from "../tuner-name.js";
import { home, METASCHEDULE_TVM_VERSION, tvmPython } from "../worker/installation.js";
import { type Budget, secondsOf } from "./budgets.js";
import type { Device, Run, Settings } from "./experiment.js";
import { runScript } from "./script-run.js";
import type { Curve } from "./time-to-latency.js";

/**
 * The ways of tuning that are compared. They search, build and measure by the same means, and decide differently. `Ansor` stands
 * for the tuner's own way, whichever it is ({@link nameOf}).
 */
export type Method = keyof typeof IN_REFERENCE | "fast mode";

/** Of a method in the reference mode what follows the search in its policy, and what else it decides by. */
const IN_REFERENCE = {
  Ansor: ["xgb", {}],
  FamilySeer: ["xgb.family_op", {}],
  "families by hash": ["xgb.family_hash", {}],
  "each task a family": ["xgb.family_ind", {}],
  "without foresee": ["xgb.family_op", { foreseeTrials: 0 }],
  "random programs": ["random", {}],
} as const satisfies Record<string, readonly [policy: string, others: { readonly foreseeTrials?: number }]>;

/** What a method is called, where a tuner does it. */
export function nameOf(method: Method, { tuner }: Pick<Settings, "tuner">): string {
  return method === "Ansor" ? TUNER_WORDS[tuner] : method;
}

/** What a method decides by, where a tuner does it. */
function decidesBy(method: Method, tuner: TunerName) {
  if (method === "fast mode") {
    return { mode: "fast", ...FAST_DEFAULTS } as const;
  }
  const [policy, others] = IN_REFERENCE[method];
  return { mode: "reference", searchPolicy: `${SEARCH_OF[tuner]}.${policy}`, ...others } as const;
}

/** TVM's own TaskScheduler, with its own builder and runner, on the CPU. */
export const TVM = "TVM's own";
/** In the reference mode about twice as fast as TVM's own means (docs/results/measuring.md). */
const TVM_SLOWER = 3;
/** How often a network is timed, and how long at least. */
const NETWORK_TIMING = { repeat: 5, minRepeatMs: 200 } as const;

/** What a tuning came to. Latencies in ms: of the tasks tuned, each by its weight, as the tuner measured them. */
const tuningSchema = z.object({
  /** From when on and after how many programs; begins once every task has a program that ran. */
  points: z.array(z.tuple([z.number(), z.number(), z.number()])),
  programs: z.number(),
  failures: z.number(),
  seconds: z.number(),
  /** The whole network compiled and timed, in ms, untuned and by the log; null where it was tuned in part or simulated. */
  network: z.object({ untuned: z.number(), tuned: z.number() }).nullable(),
});
export type Tuning = z.infer<typeof tuningSchema>;

/** What a device is to `tune`. */
export function deviceOptions(device: Device): Pick<TuneOptions, "simulated"> & { readonly target: string } {
  switch (device) {
    case "cpu":
      return { target: "native" };
    case "cuda":
      return { target: "cuda" };
    case "simulated":
      return { target: SIMULATED_TARGET, simulated: true };
  }
}

/** Simulated programs take no time that gains could be counted by. */
const FLAGS_WHERE_SIMULATED = { gainPerSecond: false } as const satisfies FastFlags;

/** On what a tuning is done, and by what. */
type Searches = Pick<Settings, "device" | "tuner">;

/** What a tuning of a budget by a method is, but for where it is written. */
export function tuningOptions(method: Method, budget: Budget, seed: number, { device, tuner }: Searches) {
  const decided = decidesBy(method, tuner);
  // No run depends on what was tuned before.
  const decides = decided.mode === "fast" ? { ...decided, library: null } : decided;
  const common = { ...budget, ...deviceOptions(device), seed, tuner };
  return decides.mode === "fast" && device === "simulated"
    ? { ...common, ...decides, ...FLAGS_WHERE_SIMULATED }
    : { ...common, ...decides };
}

/** What tells a tuning from others: `means` is what the flags were called when the first runs were kept. */
export function tuningIdentity(method: Method, budget: Budget, seed: number, { device, tuner }: Searches): object {
  const flags = device === "simulated" ? { means: FLAGS_WHERE_SIMULATED } : {};
  // Ansor's is as it was before there was another.
  const by = tuner === "ansor" ? {} : { tuner, tvm: METASCHEDULE_TVM_VERSION };
  // Once the latency of some of a network's tasks was followed under wrong numbers: those runs are done again.
  const numbers = budget.onlyTasks ? { tasks: "by their numbers in the network" } : {};
  return {
    ...budget,
    ...decidesBy(method, tuner),
    ...deviceOptions(device),
    ...flags,
    seed,
    device,
    ...by,
    ...numbers,
  };
}

/** One tuning of a budget by a method. A whole network is compiled and timed afterwards, where there is a device for it. */
export function tuneRun(method: Method, budget: Budget, seed: number, settings: Settings): Run<Tuning> {
  const { device, tuner, tvmPython } = settings;
  const options = tuningOptions(method, budget, seed, settings);
  return {
    name: `${budget.model}, ${nameOf(method, settings)}, seed ${seed}, ${[device, ...(tuner === "ansor" ? [] : [tuner])].join(", ")}`,
    seconds: secondsOf(settings, budget),
    identity: tuningIdentity(method, budget, seed, settings),
    result: tuningSchema,
    async perform(folder, signal) {
      const log = join(folder, tuner === "ansor" ? "records.json" : "records");
      const tuning = await tuned({ ...options, tvmPython, log, signal });
      const timed = device !== "simulated" && !options.onlyTasks && !signal.aborted;
      const network = timed
        ? await evaluate({ ...TUNE_DEFAULTS, ...options, ...NETWORK_TIMING, log, tvmPython })
        : null;
      return { ...tuning, network: network && { untuned: 1000 * network.untuned, tuned: 1000 * network.tuned } };
    },
  };
}

/** Tunes, and follows the latency. */
export async function tuned(options: TuneOptions): Promise<Omit<Tuning, "network">> {
  const begun = performance.now();
  let latency = new Latency(new Map());
  let [programs, failures] = [0, 0];
  for await (const event of tune(options)) {
    if (event.type === "started") {
      latency = new Latency(new Map(event.tasks.map(({ id, weight }) => [id, weight])));
    } else if (event.type === "measured") {
      programs += 1;
      failures += event.cost === null ? 1 : 0;
      latency.observe(event.task, event.cost, (performance.now() - begun) / 1000);
    }
    requireRan(event, options.log);
  }
  if (options.signal?.aborted) {
    throw new CancelledError(`The tuning was ended. Its records are in ${options.log}.`);
  }
  return { points: latency.points, programs, failures, seconds: (performance.now() - begun) / 1000 };
}

/** The latency of the tasks together, as better programs are found. */
export class Latency<T> {
  readonly points: [seconds: number, programs: number, ms: number][] = [];
  readonly #weights: ReadonlyMap<T, number>;
  readonly #best = new Map<T, number>();
  #programs = 0;

  constructor(weights: ReadonlyMap<T, number>) {
    this.#weights = weights;
  }

  /** A program was measured; `cost` in seconds, null if it failed. */
  observe(task: T, cost: number | null, seconds: number): void {
    this.#programs += 1;
    if (cost === null || cost >= (this.#best.get(task) ?? Number.POSITIVE_INFINITY)) {
      return;
    }
    this.#best.set(task, cost);
    if (this.#best.size === this.#weights.size) {
      const sum = [...this.#weights].reduce(
        (ms, [each, weight]) => ms + 1000 * weight * (this.#best.get(each) ?? 0),
        0,
      );
      this.points.push([seconds, this.#programs, sum]);
    }
  }
}

/** The same budget by TVM's own TaskScheduler, for the CPU. */
export function tvmRun(budget: Budget, seed: number, settings: Settings): Run<Tuning> {
  const { model, trials, onlyTasks, trialsPerRound, population, generations, number, minRepeatMs } = budget;
  const options = { "per-round": trialsPerRound, population, generations, number, "min-repeat-ms": minRepeatMs };
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const args = ["--network", model, "--trials", `${trials}`, "--seed", `${seed}`];
  args.push(...given.flatMap(([name, value]) => [`--${name}`, `${value}`]));
  args.push(...(onlyTasks ? ["--tasks", ...onlyTasks.map(String)] : []));
  return {
    name: `${model}, ${TVM}, seed ${seed}`,
    seconds: TVM_SLOWER * secondsOf(settings, budget),
    identity: { script: "tvm_side.py", args },
    result: tuningSchema,
    async perform(folder, signal) {
      const command = ["tvm_side.py", ...args, "--cache", join(home(), "cache"), "--out", folder];
      await runScript(command, tvmPython(settings.tvmPython, "", "ansor"), signal);
      return readTvmSide(folder);
    },
  };
}

const timesSchema = z.object({
  seconds: z.array(z.number()),
  end: z.number(),
  /** By workload key. */
  weights: z.record(z.string(), z.number()),
});

async function readTvmSide(folder: string): Promise<Tuning> {
  const times = timesSchema.parse(JSON.parse(await readFile(join(folder, "seconds.json"), "utf8")));
  const latency = new Latency(new Map(Object.entries(times.weights)));
  let [programs, failures] = [0, 0];
  for await (const { workloadKey, cost } of logRecords(join(folder, "records.json"))) {
    failures += cost === null ? 1 : 0;
    latency.observe(workloadKey, cost, times.seconds[programs] ?? times.end);
    programs += 1;
  }
  return { points: latency.points, programs, failures, seconds: times.end, network: null };
}

/** Over which a curve is drawn: a simulated program takes no time of its own, so there programs are counted. */
export function costOf(device: Device): "seconds" | "programs" {
  return device === "simulated" ? "programs" : "seconds";
}

/** The curve of a tuning over seconds or programs, ending where the tuning does. */
export function curveOf({ points, seconds, programs }: Tuning, over: "seconds" | "programs"): Curve {
  const curve = points.map(([at, count, ms]) => [over === "seconds" ? at : count, ms] as const);
  const last = curve.at(-1);
  return last ? [...curve, [over === "seconds" ? seconds : programs, last[1]]] : [];
}
