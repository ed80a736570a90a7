import { stat } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { InvalidRequestError } from "../errors.js";
import { AppendOnlyFile } from "../records/append-only-file.js";
import { type JobHistory, readHistory } from "../records/job-history.js";
import { entry } from "../records/journal.js";
import { checkAppendable } from "../records/log.js";
import { LogLock } from "../records/log-lock.js";
import { planCostModels } from "../tuning/cost-models.js";
import { type Families, groupFamilies } from "../tuning/families.js";
import type { FastSearch } from "../tuning/fast-scheduler.js";
import { ORIGINS, type Origin, type Recipe } from "../tuning/recipe.js";
import type { RoundOutcome, SearchTarget, StopReason } from "../tuning/scheduler.js";
import { parseSearchPolicy, type SearchPolicy } from "../tuning/search-policy.js";
import { measuredOrNull } from "../tuning/task.js";
import { isCuda } from "../worker/installation.js";
import type { DeviceSettings, MeasuredEvent, Result } from "../worker/protocol.js";
import { startWorker } from "../worker/start.js";
import type { Worker } from "../worker/worker.js";
import { type Beginning, basisOf, beginAgain, beginNew } from "./beginning.js";
import { type Decider, makeDecider } from "./decider.js";
import { deviceSettings, simulatedTarget } from "./devices.js";
import type { NamedTask, Program, Resumed, Round, TuneEvent } from "./events.js";
import { requireGpus } from "./gpus.js";
import { type CompleteTuneOptions, FAST_DEFAULTS, TUNE_DEFAULTS, type TuneOptions, withoutEffect } from "./options.js";
import { Recorder } from "./recorder.js";
import {
  asJournaled,
  type Begun,
  begun as begunRound,
  ExpectedGains,
  NOTHING_BEGUN,
  replay,
  requireSameOptions,
  requireSameTasks,
} from "./resume.js";
import { bestByOrigin, countFailures, deviceShares, firstError } from "./round-summary.js";
import { extractTasks } from "./tasks.js";

const MINUTE = 60_000;
const SEARCH_DEADLINE_MS = 30 * MINUTE;
/** The worker waits two minutes for devices that are away before it gives up and says so. */
const DEVICES_AWAY_MS = 3 * MINUTE;

type Emit = (event: TuneEvent) => void;

/** What a job's rounds work with. */
interface Job {
  readonly worker: Worker;
  readonly decider: Decider;
  readonly gains: ExpectedGains;
  readonly log: AppendOnlyFile;
  readonly journal: AppendOnlyFile;
  readonly emit: Emit;
}

/** What lies behind a job that goes on: finished rounds, their failures, and the round that was cut short. */
interface Past {
  readonly rounds: number;
  readonly failures: number;
  readonly begun: Begun | null;
  readonly resumed: Resumed | null;
}

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
    const { log: path, resume, wait } = this.options;
    await checkAppendable(path);
    const lock = await LogLock.take(path, wait ? this.#stopping.signal : null);
    try {
      const history = resume ? await readHistory(path) : null;
      if (history) {
        requireSameOptions(this.options, history);
      }
      if (history?.ended && this.options.trials === history.trials) {
        emit({ type: "ended-before", reason: history.ended });
        return;
      }
      await this.#job(history, emit);
    } finally {
      await lock.release();
    }
  }

  /** A new job, or the rest of one. */
  async #job(history: JobHistory | null, emit: Emit): Promise<void> {
    const begun = performance.now();
    const worker = await startWorker(this.options);
    let files: Files | null = null;
    try {
      if (this.#devices.type === "local" || this.#devices.type === "servers") {
        await requireGpus(worker, this.options);
      }
      const { target, tasks, families, fromCache: tasksFromCache } = await this.#extract(worker);
      if (history) {
        requireSameTasks(this.options.log, history, tasks, target);
      }
      const beginning = history
        ? await beginAgain(worker, this.options, history, { target, tasks })
        : await beginNew(worker, this.options, { target, tasks });
      const gains = new ExpectedGains(
        async (task, siblings) =>
          (await worker.request("foresee", { task, siblings: [...siblings] }, { deadlineMs: 5 * MINUTE })).gains,
      );
      const decider = makeDecider(this.options, tasks, families, { ...beginning.start, expectGains: gains.ask });
      const registered = await this.#register(worker, decider, tasks.length, families);
      const past = await this.#goOn(history, beginning, decider, gains);

      files = await Files.open(this.options.log);
      const { log, journal } = files;
      const { trials } = this.options;
      const { trialsPerRound } = decider;
      const { recordsTaken } = beginning;
      const { resumed } = past;
      const notices = [...withoutEffect(this.options), ...beginning.notices, ...registered.notices];
      emit({ type: "started", target, tasks, tasksFromCache, trials, trialsPerRound, recordsTaken, resumed, notices });
      const options = asJournaled(this.options);
      const basis = basisOf(beginning, trialsPerRound, log);
      await journal.append([
        entry(
          history ? { type: "resumed", trials } : { type: "started", options, target, tasks, trialsPerRound, basis },
        ),
      ]);

      const [roundsBegun, busyBefore] = [performance.now(), worker.busySeconds];
      const { reason, failures } = await this.#rounds({ worker, decider, gains, log, journal, emit }, past);
      const inRounds = (performance.now() - roundsBegun) / 1000;
      const overheadSeconds = inRounds - (worker.busySeconds - busyBefore);
      const modelsFolder = await this.#saveModels(worker);
      const seconds = (performance.now() - begun) / 1000;
      const bestCosts = decider.bestCosts.map(measuredOrNull);
      const finished = {
        type: "finished",
        reason,
        trials: decider.trials,
        failures,
        score: bestCosts.includes(null) ? null : decider.score,
        bestCosts,
        seconds,
        overheadSeconds,
        modelsFolder,
      } as const;
      // The last records may have been removed since they were written.
      await log.requireInPlace();
      await journal.append([entry(finished)]);
      emit(finished);
    } finally {
      await files?.close();
      await worker.close();
    }
  }

  /** Brings the decider to where the job was; what a new job has behind it is nothing. */
  async #goOn(
    history: JobHistory | null,
    { inRound }: Beginning,
    decider: Decider,
    gains: ExpectedGains,
  ): Promise<Past> {
    if (!history) {
      return { rounds: 0, failures: 0, begun: null, resumed: null };
    }
    const { rounds, failures } = history;
    await replay(this.options.log, rounds, decider, gains);
    const last = rounds.at(-1);
    const cut = last && !last.finished ? begunRound(last, inRound) : null;
    const programs = decider.bestCosts.map(() => 0);
    for (const { started, finished } of rounds) {
      const { task } = started.round;
      programs[task] = (programs[task] ?? 0) + (finished?.costs.length ?? inRound.length);
    }
    const finishedRounds = rounds.length - (cut ? 1 : 0);
    const bestCosts = decider.bestCosts.map(measuredOrNull);
    return {
      rounds: finishedRounds,
      failures,
      begun: cut,
      resumed: { rounds: finishedRounds, programs, bestCosts, inRound: inRound.length },
    };
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

  async #rounds(job: Job, past: Past): Promise<{ reason: StopReason | { type: "cancelled" }; failures: number }> {
    const { decider, gains, log, journal, emit } = job;
    let { failures, begun: cut } = past;
    for (let index = past.rounds; ; index += 1) {
      if (!cut) {
        gains.expectRound(null);
      }
      const action = await decider.next();
      if (action.type === "stop") {
        return { reason: action.reason, failures };
      }
      if (this.#stopping.signal.aborted) {
        return { reason: { type: "cancelled" }, failures };
      }
      const round: Round = { index, task: action.task, programs: action.programs, reason: action.reason };
      if (!cut) {
        await journal.append([entry({ type: "round-started", round, logBytes: log.size, gains: gains.asked })]);
      }
      emit({ type: "round-started", round });
      const recipe = recipeOf(action);
      const { measured, notices, seconds, accuracy } = await this.#round(
        job,
        { ...action, recipe },
        cut ?? NOTHING_BEGUN,
      );
      cut = null;
      failures += measured.filter((each) => each.cost === null).length;
      if (this.#stopping.signal.aborted && measured.length === 0) {
        return { reason: { type: "cancelled" }, failures };
      }
      const outcome: RoundOutcome = await decider.observe(measured, { seconds: seconds.total, accuracy });
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
      await journal.append([entry({ ...finished, logBytes: log.size })]);
      emit(finished);
    }
  }

  /** One round, or what is left of it: propose, measure, learn. Every record is in the log before it counts. */
  async #round(
    { worker, decider, log, journal, emit }: Job,
    { task, programs, recipe }: SearchTarget & { readonly recipe: Recipe | null },
    before: Begun,
  ) {
    const begun = performance.now();
    const clock = () => before.seconds + (performance.now() - begun) / 1000;
    const phases = { propose: 0, measure: 0, learn: 0 };
    const measured: Program[] = [...before.measured];
    const timed = async <T>(phase: keyof typeof phases, work: Promise<T>): Promise<T> => {
      const started = performance.now();
      try {
        return await work;
      } finally {
        phases[phase] = (performance.now() - started) / 1000;
      }
    };
    const given = (notices: readonly string[], accuracy: number | null) => ({
      measured,
      notices,
      accuracy,
      seconds: { ...phases, total: clock() },
    });

    const left = programs - measured.length;
    let notices: readonly string[] = [];
    if (left > 0) {
      const rest = recipe && recipeWithout(recipe, measured);
      const { candidates, refusal } = await timed("propose", this.#propose(worker, task, left, rest));
      if (candidates.length === 0 && measured.length === 0) {
        return given(refusal === null ? [] : [`TVM can lower no program of task ${task}: ${refusal}`], null);
      }
      if (candidates.length > 0) {
        const recorder = new Recorder({
          log,
          journal,
          first: measured.length,
          clock,
          tell: ({ cost, failure, message, device, origin, timing_seconds }) => {
            measured.push({ cost, failure, message, device, origin, timing_seconds });
            emit({ type: "measured", task, cost, failure, message, device, origin });
          },
        });
        notices = await timed("measure", this.#measure(worker, decider, task, candidates, recorder));
      }
    }
    const learning = worker.request("learn", { task }, { deadlineMs: SEARCH_DEADLINE_MS });
    const { accuracy } = await timed("learn", learning);
    return given(notices, accuracy);
  }

  /** Has candidates measured and recorded; what the devices have to tell. */
  async #measure(
    worker: Worker,
    decider: Decider,
    task: number,
    candidates: readonly number[],
    recorder: Recorder,
  ): Promise<readonly string[]> {
    const { buildTimeout, runTimeout } = this.options;
    const deadlineMs = DEVICES_AWAY_MS + MINUTE + candidates.length * (buildTimeout + runTimeout) * 1000;
    // What cannot be written down is not measured either.
    const signal = AbortSignal.any([this.#stopping.signal, recorder.failed]);
    const onMeasured = (event: MeasuredEvent) => recorder.take(event);
    const measuring = worker.request(
      "measure",
      { task, candidates: [...candidates] },
      { deadlineMs, signal, onMeasured },
    );
    try {
      const ahead = this.#overlap() ? this.#lookAhead(worker, decider) : null;
      // What goes wrong in it is raised below, unless the measuring fails first.
      ahead?.catch(() => undefined);
      const { notices } = await measuring;
      await ahead;
      return notices;
    } finally {
      await recorder.done();
    }
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

/** The log and the journal beside it. */
class Files {
  private constructor(
    readonly log: AppendOnlyFile,
    readonly journal: AppendOnlyFile,
  ) {}

  static async open(path: string): Promise<Files> {
    const log = await AppendOnlyFile.open(path);
    try {
      return new Files(log, await AppendOnlyFile.open(`${path}.journal.jsonl`));
    } catch (error) {
      await log.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.log.close();
    await this.journal.close();
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

/** Of a recipe what is left when some of its programs are measured. */
function recipeWithout(recipe: Recipe, measured: readonly Program[]): Recipe {
  const programs = Object.fromEntries(
    ORIGINS.map((origin) => {
      const done = measured.filter((each) => each.origin === origin).length;
      return [origin, Math.max(0, recipe.programs[origin] - done)] as const;
    }),
  ) as Record<Origin, number>;
  return { ...recipe, programs };
}

function recipeOf(action: SearchTarget | FastSearch): Recipe | null {
  return "recipe" in action ? action.recipe : null;
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
