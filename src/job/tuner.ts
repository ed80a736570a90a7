import { PassThrough } from "node:stream";
import type { RoundOutcome } from "../core/decider.js";
import { type Families, groupFamilies } from "../core/families.js";
import type { ExpectGains } from "../core/fast/options.js";
import type { SearchPolicy } from "../core/search-policy.js";
import { measuredOrNull } from "../core/task.js";
import { CancelledError } from "../errors.js";
import { type Measures, requireTarget } from "../network/gpus.js";
import { checkNetwork, chooseTasks, extractTasks } from "../network/tasks.js";
import { describeThreads, type Threads } from "../network/threads.js";
import { type CompleteTuneOptions, complete } from "../options/defaults.js";
import { withoutEffect } from "../options/effect.js";
import type { TuneOptions } from "../options/options.js";
import { settled } from "../options/tuner-defaults.js";
import type { DescribedInput } from "../protocol/operations/extract.js";
import type { DeviceSettings } from "../protocol/operations/register.js";
import { AppendOnlyFile } from "../records/append-only-file.js";
import { namesEntry } from "../records/database.js";
import { type JobHistory, readHistory } from "../records/job-history.js";
import { entry } from "../records/journal.js";
import { checkAppendable } from "../records/log.js";
import { LogLock } from "../records/log-lock.js";
import { journalOf, modelsOf } from "../records/paths.js";
import { logAt, newLogAt, newLogOf, requireLogOf, tunerOf } from "../records/place.js";
import { tunerNamed } from "../tuner-name.js";
import { startWorker } from "../worker/start.js";
import type { Worker } from "../worker/worker.js";
import { Attempts } from "./attempts.js";
import { type Beginning, basisOf, beginAgain, beginNew } from "./beginning.js";
import { type JobDecider, makeDecider } from "./decider.js";
import { deviceSettings, simulatedTarget } from "./devices.js";
import type { Before, EndReason, NamedTask, Resumed, Round, TuneEvent } from "./events.js";
import { checkWorkers, FamilyWorkers } from "./family-workers.js";
import { Library } from "./library.js";
import { checkPolicy, policyOf } from "./policy.js";
import { register } from "./register.js";
import {
  asBegun,
  asJournaled,
  type Begun,
  begun as begunRound,
  ExpectedGains,
  endsAtOnce,
  NOTHING_BEGUN,
  replay,
  requireSameOptions,
  requireSameTasks,
} from "./resume.js";
import { RoundRunner, type RoundsOfJob } from "./round-runner.js";
import { sizedAsBegun, sizedNew } from "./round-sizes.js";
import { bestByOrigin, countFailures, deviceShares, firstError } from "./round-summary.js";
import { writeWorkloads } from "./workloads.js";

const CANCELLED = { type: "cancelled" } as const;

const MEASURES: Readonly<Record<DeviceSettings["type"], Measures>> = {
  local: "here",
  servers: "here",
  tracker: "elsewhere",
  simulated: "nowhere",
};

type Emit = (event: TuneEvent) => void;

/** What a job's rounds work with. */
interface Job extends RoundsOfJob {
  readonly gains: ExpectedGains;
}

/** What lies behind a job: finished rounds, the failures of all programs, and the round that was cut short. */
interface Past {
  readonly before: Before;
  readonly rounds: number;
  readonly failures: number;
  readonly attempts: Attempts;
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
  #options: CompleteTuneOptions;
  readonly #devices: DeviceSettings;
  readonly #stopping = new AbortController();

  constructor(options: TuneOptions) {
    const simulated = options.simulated ? { target: simulatedTarget(options.target) } : {};
    this.#options = { ...complete(options), ...simulated };
    checkPolicy(this.options);
    this.#devices = deviceSettings(this.options);
    checkWorkers(this.options);
  }

  /** From its first event on with the files of records in place of the databases that its user named. */
  get options(): CompleteTuneOptions {
    return this.#options;
  }

  /** Ends the job as an abort of `signal` does. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Runs the job. Leaving the loop early stops it. */
  async *events(): AsyncGenerator<TuneEvent, void, void> {
    const { signal } = this.options;
    const stop = () => this.stop();
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) {
      stop();
    }
    const queue = new PassThrough({ objectMode: true, highWaterMark: Number.MAX_SAFE_INTEGER });
    const running = this.#run((event) => queue.write(event)).finally(() => queue.end());
    running.catch(() => undefined);
    try {
      yield* queue as AsyncIterable<TuneEvent>;
    } finally {
      this.stop();
      signal?.removeEventListener("abort", stop);
      await running;
    }
  }

  async #run(emit: Emit): Promise<void> {
    const begun = performance.now();
    let history: JobHistory | null = null;
    let first: Worker | null = null;
    let lock: LogLock | null = null;
    try {
      first = await this.#findLogs();
      const { log, resume, wait } = this.options;
      lock = await LogLock.take(log, wait ? this.#stopping.signal : null);
      history = resume ? await readHistory(log) : null;
      if (history) {
        this.#options = asBegun(this.options, history);
        requireSameOptions(sizedAsBegun(settled(this.options, history.started.tuner), history), history);
      }
      if (history?.ended && endsAtOnce(this.options, history)) {
        emit({ type: "ended-before", reason: history.ended });
        return;
      }
      const started = first ?? (await startWorker(this.#settings(history)));
      first = null;
      await this.#job(started, history, begun, emit);
    } catch (error) {
      if (!(error instanceof CancelledError)) {
        throw error;
      }
      // It had not begun: the journal knows nothing of it.
      emit(endedBeforeItBegan(history, begun));
    } finally {
      await lock?.release();
      await first?.close();
    }
  }

  /**
   * Finds the files that the records are, or will be, in.
   *
   * @returns a worker where one had to be asked: a new log is a file or a folder by its tuner.
   */
  async #findLogs(): Promise<Worker | null> {
    const { log: named, loadLog, tuner } = this.options;
    const there = await newLogAt(named);
    await checkAppendable(there ?? named);
    const first = there === null && tuner === undefined ? await startWorker(this.#settings(null)) : null;
    try {
      const log = there ?? newLogOf(tuner ?? first?.tuner ?? "", named);
      this.#options = { ...this.options, log, loadLog: loadLog === null ? null : await logAt(loadLog) };
      this.#requireLogsOf(tuner ?? first?.tuner ?? tunerOf(log));
    } catch (error) {
      await first?.close();
      throw error;
    }
    return first;
  }

  #requireLogsOf(tuner: string | undefined): void {
    const { log, loadLog } = this.options;
    if (tuner === undefined) {
      return;
    }
    requireLogOf(tuner, log);
    if (loadLog !== null) {
      requireLogOf(tuner, loadLog);
    }
  }

  #settings(history: JobHistory | null): CompleteTuneOptions {
    const { tuner, tvmPython, log } = this.options;
    const known = history ? tunerNamed(history.started.tuner) : (tuner ?? (tvmPython ? undefined : tunerOf(log)));
    return { ...this.options, tuner: known, signal: this.#stopping.signal };
  }

  /** A new job, or the rest of one. */
  async #job(first: Worker, history: JobHistory | null, begun: number, emit: Emit): Promise<void> {
    const settings = this.#settings(history);
    let workers: FamilyWorkers | null = null;
    let files: Files | null = null;
    try {
      this.#requireLogsOf(first.tuner);
      const asked = settled(this.options, first.tuner);
      const policy = policyOf(asked, first.tuner);
      await checkNetwork(first, asked);
      const measures = MEASURES[this.#devices.type];
      const warnings = await requireTarget(first, asked, measures);
      const extracted = await this.#extract(first, policy);
      const { target, inputs, tasks, families, fromCache: tasksFromCache } = extracted;
      const threads = extracted.threads?.count ?? null;
      if (history) {
        requireSameTasks(asked.log, history, tasks, target);
      }
      workers = await FamilyWorkers.start(first, settings, families, measures);
      const sized = history
        ? { options: sizedAsBegun(asked, history), firstLook: null, notices: [] }
        : await sizedNew(workers, asked, this.#devices, tasks.length);
      const { options } = sized;
      const beginning = history
        ? await beginAgain(workers, options, history, { target, tasks })
        : await beginNew(workers, sized, { target, tasks });
      const asking = { options, policy, families, workers, target, threads };
      const library = await Library.open(asking, history && history.started.basis);
      const gains = new ExpectedGains(expectedBy(workers));
      const decider = makeDecider(options, tasks, families, {
        ...beginning.start,
        carriedOver: library.families,
        policy,
        expectGains: gains.ask,
      });
      const { trials } = options;
      const { trialsPerRound } = decider.scheduler;
      const noticed = await register(workers, {
        options,
        policy,
        families,
        tasks: tasks.map(({ id }) => id),
        trialsPerRound,
        devices: this.#devices,
      });
      const past = await this.#goOn(history, tasks, beginning, decider, gains);

      const names = await writeWorkloads(workers, options.log);
      files = await Files.open(options.log);
      const { log, journal } = files;
      const { recordsTaken } = beginning;
      const { before, resumed } = past;
      const ofThreads = await describeThreads(extracted.threads, options, logsGoneOnWith(options, history));
      const unused = withoutEffect({ ...options, tuner: tunerNamed(first.tuner) });
      const notices = [
        ...warnings,
        ...unused,
        ...ofThreads,
        ...beginning.notices,
        ...sized.notices,
        ...library.notices,
        ...noticed,
      ];
      const began = { type: "started", tuner: first.tuner, target, inputs, tasks, trialsPerRound, threads } as const;
      const { searchPolicy } = options;
      emit({ ...began, searchPolicy, tasksFromCache, trials, recordsTaken, before, resumed, notices });
      const basis = basisOf(beginning, trialsPerRound, log, library.taken);
      await journal.append([
        entry(
          history
            ? { type: "resumed", trials, tasks: tasks.map(({ id }) => id), threads }
            : { ...began, options: asJournaled(options), basis },
        ),
        ...(names ? [namesEntry(names, target, tasks)] : []),
      ]);

      const [roundsBegun, busyBefore] = [performance.now(), workers.busySeconds];
      const { reason: whatEndedIt, failures } = await this.#rounds(
        { options, stopping: this.#stopping.signal, workers, decider, gains, log, journal, emit },
        past,
      );
      const inRounds = (performance.now() - roundsBegun) / 1000;
      const overheadSeconds = inRounds - (workers.busySeconds - busyBefore);
      const modelsFolder = await this.#saveModels(workers);
      const cancelled = this.#stopping.signal.aborted;
      const unkept = await library.keep(cancelled);
      const reason = cancelled ? CANCELLED : whatEndedIt;
      const seconds = (performance.now() - begun) / 1000;
      const bestCosts = decider.scheduler.bestCosts.map(measuredOrNull);
      const finished = {
        type: "finished",
        reason,
        trials: decider.scheduler.trials,
        failures,
        score: bestCosts.includes(null) ? null : decider.scheduler.score,
        bestCosts,
        seconds,
        overheadSeconds,
        modelsFolder,
        notices: unkept,
      } as const;
      // The last records may have been removed since they were written.
      await log.requireInPlace();
      await journal.append([entry(finished)]);
      emit(finished);
    } finally {
      await files?.close();
      await workers?.closeOthers();
      await first.close();
    }
  }

  /** Brings the decider to where the job was. A new job has at most records behind it. */
  async #goOn(
    history: JobHistory | null,
    tasks: readonly NamedTask[],
    { inRound, ownBefore }: Beginning,
    decider: JobDecider,
    gains: ExpectedGains,
  ): Promise<Past> {
    const programs = new Map(tasks.map(({ id }) => [id, 0]));
    const count = (task: number, more: number) => programs.set(task, (programs.get(task) ?? 0) + more);
    for (const { task } of ownBefore) {
      count(task, 1);
    }
    const failed = ownBefore.filter(({ cost }) => cost === null).length;
    if (!history) {
      const before = { programs: [...programs.values()], bestCosts: decider.scheduler.bestCosts.map(measuredOrNull) };
      return {
        before,
        rounds: 0,
        failures: failed,
        attempts: new Attempts(tasks.length, failed < ownBefore.length),
        begun: null,
        resumed: null,
      };
    }
    const { rounds, failures } = history;
    await replay(this.options.log, rounds, decider, gains);
    const last = rounds.at(-1);
    const cut = last && !last.finished ? begunRound(last, inRound) : null;
    for (const { started, finished } of rounds) {
      count(started.round.task, finished?.costs.length ?? inRound.length);
    }
    const finishedRounds = rounds.length - (cut ? 1 : 0);
    return {
      before: { programs: [...programs.values()], bestCosts: decider.scheduler.bestCosts.map(measuredOrNull) },
      rounds: finishedRounds,
      failures: failed + failures,
      attempts: Attempts.ofPast(tasks.length, failed < ownBefore.length, history),
      begun: cut,
      resumed: { rounds: finishedRounds, inRound: inRound.length },
    };
  }

  async #extract(
    worker: Worker,
    policy: SearchPolicy,
  ): Promise<{
    target: string;
    inputs: readonly DescribedInput[];
    tasks: NamedTask[];
    families: Families | null;
    fromCache: boolean;
    threads: Threads | null;
  }> {
    const { model, onlyTasks } = this.options;
    const { target, inputs, tasks: all, fromCache, threads } = await extractTasks(worker, this.options);
    const tasks = chooseTasks(all, model, onlyTasks);
    const families = policy.families ? groupFamilies(tasks, policy.families) : null;
    const familyOf = new Map([...(families ?? [])].flatMap(([name, ids]) => ids.map((id) => [id, name] as const)));
    return {
      target,
      inputs,
      families,
      fromCache,
      threads,
      tasks: tasks.map((task) => ({ ...task, family: familyOf.get(task.id) ?? null })),
    };
  }

  async #rounds(job: Job, past: Past): Promise<{ reason: EndReason; failures: number }> {
    const { decider, gains, log, journal, emit } = job;
    const { attempts } = past;
    let { failures, begun: cut } = past;
    const rounds = new RoundRunner(job);
    for (let index = past.rounds; ; index += 1) {
      if (!cut) {
        gains.expectRound(null);
      }
      const action = await unlessCancelled(decider.next());
      if (action === null) {
        return { reason: CANCELLED, failures };
      }
      const decided = action.type === "stop" ? action.reason : null;
      const end = attempts.inVain || decided ? (attempts.nothingRan ?? decided) : null;
      const { aborted } = this.#stopping.signal;
      if (end && !aborted) {
        await unlessCancelled(rounds.finish());
        return { reason: end, failures };
      }
      if (action.type === "stop" || aborted) {
        return { reason: CANCELLED, failures };
      }
      const round: Round = { index, task: action.task, programs: action.programs, reason: action.reason };
      if (!cut) {
        await journal.append([entry({ type: "round-started", round, logBytes: log.size, gains: gains.asked })]);
      }
      emit({ type: "round-started", round });
      const recipe = "recipe" in action ? action.recipe : null;
      const { measured, notices, seconds, ...judged } = await rounds.run({ ...action, recipe }, cut ?? NOTHING_BEGUN);
      cut = null;
      failures += measured.filter((each) => each.cost === null).length;
      attempts.add(action.task, measured, notices);
      if (this.#stopping.signal.aborted && measured.length === 0) {
        return { reason: CANCELLED, failures };
      }
      const outcome: RoundOutcome = await decider.observe(measured, {
        seconds: seconds.total,
        accuracy: judged.accuracy,
      });
      const finished = {
        type: "round-finished",
        round,
        outcome,
        costs: measured.map((each) => each.cost),
        failures: countFailures(measured),
        origins: recipe === null ? {} : bestByOrigin(measured),
        ...judged,
        devices: deviceShares(measured),
        notices,
        firstError: measured.length > 0 && measured.every((each) => each.cost === null) ? firstError(measured) : null,
        seconds,
      } as const;
      await journal.append([entry({ ...finished, logBytes: log.size })]);
      emit(finished);
    }
  }

  /**
   * A job that is to end at once may have a worker that is still searching; it does not wait for its models. What is being
   * written is written whole.
   */
  async #saveModels(workers: FamilyWorkers): Promise<string | null> {
    const { signal } = this.#stopping;
    const folder = modelsOf(this.options.log);
    let saved = 0;
    for (const [number, worker] of workers.all.entries()) {
      if (signal.aborted) {
        break;
      }
      const { models } = await worker.request("save", { folder, add: number > 0 }, { signal });
      saved += models.length;
    }
    return saved > 0 ? folder : null;
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
      return new Files(log, await AppendOnlyFile.open(journalOf(path)));
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

/** The logs whose records count in a job, by what its user asked for. */
function logsGoneOnWith({ log, loadLog, resume }: CompleteTuneOptions, history: JobHistory | null): string[] {
  return [!history && loadLog !== null && loadLog, resume && log].filter((each) => each !== false);
}

/** The end of a job that was cancelled before its first round, or the first since it goes on. */
function endedBeforeItBegan(history: JobHistory | null, begun: number): TuneEvent {
  const programs = (history?.rounds ?? []).map(({ measured, finished }) => (finished?.costs ?? measured).length);
  return {
    type: "finished",
    reason: CANCELLED,
    trials: programs.reduce((sum, each) => sum + each, 0),
    failures: history?.failures ?? 0,
    score: null,
    bestCosts: [],
    seconds: (performance.now() - begun) / 1000,
    overheadSeconds: 0,
    modelsFolder: null,
    notices: [],
  };
}

/** What some work gives; null if it was cancelled. */
async function unlessCancelled<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof CancelledError) {
      return null;
    }
    throw error;
  }
}

function expectedBy(workers: FamilyWorkers): ExpectGains {
  return async (task, siblings) => {
    const params = { task, siblings: [...siblings] };
    return (await workers.of(task).request("foresee", params)).gains;
  };
}
