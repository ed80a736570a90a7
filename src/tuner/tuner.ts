import { stat } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { InvalidRequestError } from "../errors.js";
import { AppendOnlyFile, checkAppendable, readLog } from "../records/log.js";
import { planCostModels } from "../tuning/cost-models.js";
import { type Families, groupFamilies } from "../tuning/families.js";
import type { FastSearch, MeasuredProgram } from "../tuning/fast-scheduler.js";
import type { Recipe } from "../tuning/recipe.js";
import type { RoundOutcome, SearchTarget, StopReason } from "../tuning/scheduler.js";
import { parseSearchPolicy, type SearchPolicy } from "../tuning/search-policy.js";
import { measuredOrNull } from "../tuning/task.js";
import { isCuda } from "../worker/installation.js";
import type { DeviceSettings, MeasuredEvent, Result } from "../worker/protocol.js";
import { startWorker } from "../worker/start.js";
import type { Worker } from "../worker/worker.js";
import { type Decider, makeDecider } from "./decider.js";
import { deviceSettings, simulatedTarget } from "./devices.js";
import type { DeviceShare, NamedTask, OriginShare, Round, TuneEvent } from "./events.js";
import { requireGpus } from "./gpus.js";
import { type CompleteTuneOptions, FAST_DEFAULTS, TUNE_DEFAULTS, type TuneOptions, withoutEffect } from "./options.js";
import { extractTasks } from "./tasks.js";

const MINUTE = 60_000;
const SEARCH_DEADLINE_MS = 30 * MINUTE;
/** The worker waits two minutes for devices that are away before it gives up and says so. */
const DEVICES_AWAY_MS = 3 * MINUTE;

type Emit = (event: TuneEvent) => void;

/** Tunes a network: an async iterable of what happens, until the trials are spent or `signal` ends it. */
export function tune(options: TuneOptions): AsyncGenerator<TuneEvent, void, void> {
  return new Tuner(options).events();
}

/**
 * One job: asks the core what to do, has the worker do it, and writes the records down before they count.
 *
 * @throws InvalidRequestError (from `events()`) for what cannot be tuned; nothing is written then.
 */
export class Tuner {
  readonly options: CompleteTuneOptions;
  readonly #policy: SearchPolicy;
  readonly #devices: DeviceSettings;
  readonly #stopping = new AbortController();
  /** Candidates of each task that were found while another was measured. */
  readonly #foundAhead = new Map<number, number[]>();

  constructor(options: TuneOptions) {
    const fast = (options.mode ?? TUNE_DEFAULTS.mode) === "fast" ? FAST_DEFAULTS : {};
    const simulated = options.simulated ? { target: simulatedTarget(options.target) } : {};
    this.options = { ...TUNE_DEFAULTS, ...fast, ...withoutUndefined(options), ...simulated };
    this.#policy = parseSearchPolicy(this.options.searchPolicy);
    this.#devices = deviceSettings(this.options);
    options.signal?.addEventListener("abort", () => this.stop(), { once: true });
    if (options.signal?.aborted) {
      this.stop();
    }
  }

  /** Ends the job as an abort of `signal` does. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Runs the job. Leaving the loop early stops it. */
  async *events(): AsyncGenerator<TuneEvent, void, void> {
    const queue = new PassThrough({ objectMode: true, highWaterMark: Number.MAX_SAFE_INTEGER });
    const running = this.#run((event) => queue.write(event)).finally(() => queue.end());
    running.catch(() => undefined);
    try {
      yield* queue as AsyncIterable<TuneEvent>;
    } finally {
      this.stop();
      await running;
    }
  }

  async #run(emit: Emit): Promise<void> {
    const begun = performance.now();
    await checkAppendable(this.options.log);
    if (this.options.loadLog !== null) {
      await readLog(this.options.loadLog);
    }
    const worker = await startWorker(this.options);
    const log = new AppendOnlyFile(this.options.log);
    const journal = new AppendOnlyFile(`${this.options.log}.journal.jsonl`);
    try {
      if (this.#devices.type === "local" || this.#devices.type === "servers") {
        await requireGpus(worker, this.options);
      }
      const { target, tasks, families, fromCache } = await this.#extract(worker);
      const scheduler = await makeDecider(this.options, tasks, families, target, worker);
      const { records_taken: recordsTaken, notices } = await this.#register(worker, scheduler, tasks.length, families);
      const { trials } = this.options;
      const { trialsPerRound } = scheduler;
      emit({
        type: "started",
        target,
        tasks,
        tasksFromCache: fromCache,
        trials,
        trialsPerRound,
        recordsTaken,
        notices: [...withoutEffect(this.options), ...notices],
      });
      await journal.append([
        entry({ type: "started", options: describe(this.options), target, tasks, trialsPerRound }),
      ]);

      const [roundsBegun, busyBefore] = [performance.now(), worker.busySeconds];
      const { reason, failures } = await this.#rounds(worker, scheduler, log, journal, emit);
      const inRounds = (performance.now() - roundsBegun) / 1000;
      const overheadSeconds = inRounds - (worker.busySeconds - busyBefore);
      const modelsFolder = await this.#saveModels(worker);
      const seconds = (performance.now() - begun) / 1000;
      const bestCosts = scheduler.bestCosts.map(measuredOrNull);
      const finished = {
        type: "finished",
        reason,
        trials: scheduler.trials,
        failures,
        score: bestCosts.includes(null) ? null : scheduler.score,
        bestCosts,
        seconds,
        overheadSeconds,
        modelsFolder,
      } as const;
      await journal.append([entry(finished)]);
      emit(finished);
    } finally {
      await log.close();
      await journal.close();
      await worker.close();
    }
  }

  async #extract(worker: Worker): Promise<{
    target: string;
    tasks: NamedTask[];
    families: Families | null;
    fromCache: boolean;
  }> {
    const { target, tasks, fromCache } = await extractTasks(worker, this.options);
    const families = this.#policy.families ? groupFamilies(tasks, this.#policy.families) : null;
    const familyOf = new Map([...(families ?? [])].flatMap(([name, ids]) => ids.map((id) => [id, name] as const)));
    return {
      target,
      families,
      fromCache,
      tasks: tasks.map((task, id) => ({ ...task, family: familyOf.get(id) ?? null })),
    };
  }

  async #register(
    worker: Worker,
    scheduler: Decider,
    taskCount: number,
    families: Families | null,
  ): Promise<Result<"register">> {
    const { options } = this;
    const sharesSchedules = options.mode === "fast" && options.means.shareSchedules !== false;
    const plans = planCostModels(taskCount, families, this.#policy.costModel, scheduler.trialsPerRound).map(
      // The first look at a family's first task is enough for a model to be better than none.
      (plan) => (options.mode === "fast" ? { ...plan, warmUpRecords: scheduler.trialsPerRound } : plan),
    );
    const models = await Promise.all(
      plans.map(async ({ name, kind, tasks, warmUpRecords }) => ({
        name,
        kind,
        tasks: [...tasks],
        warm_up_records: warmUpRecords,
        model_file: options.loadModels === null ? null : await modelFile(options.loadModels, name),
      })),
    );
    return await worker.request(
      "register",
      {
        cost_models: models,
        schedules: sharesSchedules && options.loadModels !== null ? await schedulesFile(options.loadModels) : null,
        log: options.loadLog,
        search: {
          population: options.population,
          generations: options.generations,
          eps_greedy: 0.05,
          use_measured_ratio: 0.2,
          seed: options.seed,
        },
        training: { mode: options.training, device: options.trainDevice },
        // Where `options.gpus` is to be handed on, once the worker measures on several devices.
        measure: {
          devices: this.#devices,
          building: {
            builders: options.parallel,
            build_timeout: options.buildTimeout,
            adaptive_build_timeout: options.adaptiveBuildTimeout,
            worse_ratio: options.worseRatio,
          },
          timing: {
            timeout: options.runTimeout,
            number: options.number,
            repeat: options.repeat,
            min_repeat_ms: options.minRepeatMs,
            cooldown_interval: 0,
            enable_cpu_cache_flush: false,
          },
        },
      },
      { deadlineMs: 10 * MINUTE },
    );
  }

  async #rounds(
    worker: Worker,
    scheduler: Decider,
    log: AppendOnlyFile,
    journal: AppendOnlyFile,
    emit: Emit,
  ): Promise<{ reason: StopReason | { type: "cancelled" }; failures: number }> {
    let failures = 0;
    for (let index = 0; ; index += 1) {
      const action = await scheduler.next();
      if (action.type === "stop") {
        return { reason: action.reason, failures };
      }
      if (this.#stopping.signal.aborted) {
        return { reason: { type: "cancelled" }, failures };
      }
      const round: Round = { index, task: action.task, programs: action.programs, reason: action.reason };
      emit({ type: "round-started", round });
      const recipe = recipeOf(action);
      const begun = performance.now();
      const { measured, notices, seconds, accuracy } = await this.#round(
        worker,
        scheduler,
        { ...action, recipe },
        log,
        emit,
      );
      failures += measured.filter((each) => each.cost === null).length;
      if (this.#stopping.signal.aborted && measured.length === 0) {
        return { reason: { type: "cancelled" }, failures };
      }
      const outcome: RoundOutcome = await scheduler.observe(measured, {
        seconds: (performance.now() - begun) / 1000,
        accuracy,
      });
      const finished = {
        type: "round-finished",
        round,
        outcome,
        costs: measured.map((each) => each.cost),
        failures: countFailures(measured),
        origins: recipe === null ? {} : bestByOrigin(measured),
        accuracy,
        devices: deviceShares(measured),
        notices,
        firstError: measured.length > 0 && measured.every((each) => each.cost === null) ? firstError(measured) : null,
        seconds,
      } as const;
      await journal.append([entry(finished)]);
      emit(finished);
    }
  }

  /** One round: propose, measure, learn. Every record is in the log before it counts. */
  async #round(
    worker: Worker,
    scheduler: Decider,
    { task, programs, recipe }: SearchTarget & { readonly recipe: Recipe | null },
    log: AppendOnlyFile,
    emit: Emit,
  ) {
    const { signal } = this.#stopping;
    const seconds = { propose: 0, measure: 0, learn: 0 };
    const measured: MeasuredEvent[] = [];
    const timed = async <T>(phase: keyof typeof seconds, work: Promise<T>): Promise<T> => {
      const begun = performance.now();
      try {
        return await work;
      } finally {
        seconds[phase] = (performance.now() - begun) / 1000;
      }
    };

    const { candidates, refusal } = await timed("propose", this.#propose(worker, task, programs, recipe));
    if (candidates.length === 0) {
      const notices = refusal === null ? [] : [`TVM can lower no program of task ${task}: ${refusal}`];
      return { measured, notices, seconds, accuracy: null };
    }
    const { buildTimeout, runTimeout } = this.options;
    const deadlineMs = DEVICES_AWAY_MS + MINUTE + candidates.length * (buildTimeout + runTimeout) * 1000;
    let written = Promise.resolve();
    const onMeasured = (event: MeasuredEvent): void => {
      measured.push(event);
      written = written.then(() => log.append([event.record]));
      written.catch(() => undefined);
      const { cost, failure, message, device, origin } = event;
      emit({ type: "measured", task, cost, failure, message, device, origin });
    };
    const measuring = worker.request("measure", { task, candidates }, { deadlineMs, signal, onMeasured });
    let notices: readonly string[];
    try {
      const ahead = this.#overlap() ? this.#lookAhead(worker, scheduler) : null;
      // What goes wrong in it is raised below, unless the measuring fails first.
      ahead?.catch(() => undefined);
      ({ notices } = await timed("measure", measuring));
      await ahead;
    } finally {
      await written;
    }
    const learning = worker.request("learn", { task }, { deadlineMs: SEARCH_DEADLINE_MS });
    const { accuracy } = await timed("learn", learning);
    return { measured, notices, seconds, accuracy };
  }

  /** Up to `programs` candidates, those found ahead first; none if the search space is exhausted or the job is to end. */
  async #propose(
    worker: Worker,
    task: number,
    programs: number,
    recipe: Recipe | null,
  ): Promise<{ candidates: number[]; refusal: string | null }> {
    const ahead = this.#foundAhead.get(task)?.splice(0, programs) ?? [];
    if (ahead.length === programs || this.#stopping.signal.aborted) {
      return { candidates: ahead, refusal: null };
    }
    const params = {
      task,
      programs: programs - ahead.length,
      recipe: recipe && { ...recipe, donors: [...recipe.donors] },
    };
    const proposing = worker.request("propose", params, { deadlineMs: SEARCH_DEADLINE_MS });
    proposing.catch(() => undefined);
    // A search cannot be interrupted; a job that is to end does not wait for it.
    const proposed = await unlessAborted(proposing, this.#stopping.signal);
    return { candidates: [...ahead, ...(proposed?.candidates ?? [])], refusal: proposed?.refusal ?? null };
  }

  /** While the devices measure a round, finds and builds the candidates of the round that will most likely follow. */
  async #lookAhead(worker: Worker, scheduler: Decider): Promise<void> {
    const next = await scheduler.likelyNext();
    if (!next) {
      return;
    }
    const { task, programs, recipe = null } = next;
    const { candidates } = await this.#propose(worker, task, programs, recipe);
    this.#foundAhead.set(task, [...candidates, ...(this.#foundAhead.get(task) ?? [])]);
    if (!this.#stopping.signal.aborted) {
      await worker.request("prepare", { task, candidates }, { deadlineMs: MINUTE });
    }
  }

  /** On this machine's CPU a search beside it would spoil the timing; beside a simulation it would win nothing. */
  #overlap(): boolean {
    return this.options.overlap ?? (isCuda(this.options.target) && this.#devices.type !== "simulated");
  }

  /** A job that is to end at once may have a worker that is still searching; it does not wait for its models. */
  async #saveModels(worker: Worker): Promise<string | null> {
    if (this.#stopping.signal.aborted) {
      return null;
    }
    const folder = `${this.options.log}.models`;
    const { models } = await worker.request("save", { folder }, { deadlineMs: MINUTE });
    return models.length > 0 ? folder : null;
  }
}

async function modelFile(folder: string, name: string): Promise<string | null> {
  const found = await stat(folder).catch(() => null);
  if (!found?.isDirectory()) {
    throw new InvalidRequestError(`There is no folder of cost models ${folder}. Expected one an earlier run saved.`);
  }
  const file = join(folder, `${name.replaceAll(/[^\w.-]/g, "_")}.xgb`);
  return (await stat(file).catch(() => null)) ? file : null;
}

/** Folders of runs before there were schedules in them have none. */
async function schedulesFile(folder: string): Promise<string | null> {
  const file = join(folder, "schedules.json");
  return (await stat(file).catch(() => null)) ? file : null;
}

/** What `work` gives, or null as soon as `signal` aborts. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  const done = new AbortController();
  const aborted = new Promise<null>((resolve) => {
    signal.addEventListener("abort", () => resolve(null), { once: true, signal: done.signal });
  });
  try {
    return signal.aborted ? null : await Promise.race([work, aborted]);
  } finally {
    done.abort();
  }
}

function countFailures(measured: readonly MeasuredEvent[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { failure } of measured) {
    if (failure !== null) {
      counts[failure] = (counts[failure] ?? 0) + 1;
    }
  }
  return counts;
}

function deviceShares(measured: readonly MeasuredEvent[]): Record<string, DeviceShare> {
  const shares: Record<string, DeviceShare> = {};
  for (const { device, cost, timing_seconds } of measured) {
    if (device !== null) {
      const before = shares[device] ?? { programs: 0, failures: 0, seconds: 0 };
      shares[device] = {
        programs: before.programs + 1,
        failures: before.failures + (cost === null ? 1 : 0),
        seconds: before.seconds + timing_seconds,
      };
    }
  }
  return shares;
}

function recipeOf(action: SearchTarget | FastSearch): Recipe | null {
  return "recipe" in action ? action.recipe : null;
}

/** Of each origin, how many programs it gave, and the best cost among them in seconds. */
function bestByOrigin(measured: readonly MeasuredProgram[]): Record<string, OriginShare> {
  const shares: Record<string, OriginShare> = {};
  for (const { origin, cost } of measured) {
    const before = shares[origin] ?? { programs: 0, best: null };
    const best = cost === null ? before.best : Math.min(cost, before.best ?? cost);
    shares[origin] = { programs: before.programs + 1, best };
  }
  return shares;
}

function firstError(measured: readonly MeasuredEvent[]): string | null {
  return measured.find((each) => each.message !== null)?.message ?? null;
}

function entry(content: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ time: new Date().toISOString(), ...content });
}

function describe(options: CompleteTuneOptions): Record<string, unknown> {
  const { signal: _signal, objective, ...rest } = options;
  return { ...rest, objective: objective ? "custom" : "weighted sum" };
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
