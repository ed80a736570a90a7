import type { JournalEntry } from "../records/journal.js";
import type { LogRecord } from "../records/record.js";
import { MOST_POINTS, thinned } from "./curves.js";
import { NotableDecisions } from "./decisions.js";
import { describeDeath, describeEnd, describeReason } from "./format.js";
import type { DeviceTotal, OriginTotal, Phases } from "./page-data.js";
import type { Run, TaskProgress } from "./run.js";
import { type JobTime, WorkTime } from "./work-time.js";

type Started = Extract<JournalEntry, { type: "started" }>;
/** Where its records lie in the log is of no interest here. */
type RoundFinished = Omit<Extract<JournalEntry, { type: "round-finished" }>, "logBytes">;
type Finished = Extract<JournalEntry, { type: "finished" }>;

/** One job of a journal. */
interface Job extends JobTime {
  readonly started: Started;
  /** The tasks' workload keys, by their numbers in the network. */
  readonly keys: ReadonlyMap<number, string>;
  finished: Finished | null;
}

/** What a log and its journal say so far: a run for each target, in the order they appear. */
export class RunsSoFar {
  readonly #runs = new Map<string, RunSoFar>();
  #current: RunSoFar | null = null;
  /** What was left out of the log. */
  notices: readonly string[] = [];

  /** `tuner`: what searched where no journal says it, as far as that is known. */
  constructor(private readonly tuner?: string) {}

  /** Entries come in the order of the journal; records may come before or after them. */
  addEntry(entry: JournalEntry): void {
    if (entry.type === "started") {
      this.#current = this.of(entry.target);
    }
    this.#current?.addEntry(entry);
  }

  addRecord(record: LogRecord): void {
    this.of(record.target).addRecord(record);
  }

  of(target: string): RunSoFar {
    const found = this.#runs.get(target) ?? new RunSoFar(target, this.tuner);
    this.#runs.set(target, found);
    return found;
  }

  /** Those that have a record. */
  get measured(): readonly RunSoFar[] {
    return [...this.#runs.values()].filter(({ trials }) => trials > 0);
  }
}

/** Gathers one target's records and the jobs for it: a few numbers for each task and some thousand rounds, however many there are. */
export class RunSoFar {
  readonly #jobs: Job[] = [];
  readonly #time = new WorkTime(this.#jobs);
  readonly #tasks = new Map<string, TaskProgress>();
  readonly #decisions = new NotableDecisions();
  readonly #phases = new Map<string, Phases>();
  readonly #origins = new Map<string, OriginTotal>();
  readonly #devices = new Map<string, DeviceTotal>();
  #trials = 0;
  #failures = 0;
  #seconds = 0;

  constructor(
    readonly target: string,
    private readonly tuner?: string,
  ) {}

  get trials(): number {
    return this.#trials;
  }

  addRecord({ workloadKey, cost, timestamp }: Pick<LogRecord, "workloadKey" | "cost" | "timestamp">): void {
    let task = this.#tasks.get(workloadKey);
    if (!task) {
      task = { trials: 0, failures: 0, best: null, improvements: [] };
      this.#tasks.set(workloadKey, task);
    }
    this.#seconds = Math.max(this.#seconds, timestamp === null ? 0 : this.#time.at(timestamp));
    this.#trials += 1;
    task.trials += 1;
    if (cost === null) {
      this.#failures += 1;
      task.failures += 1;
    } else if (task.best === null || cost < task.best) {
      task.best = cost;
      task.improvements.push([this.#seconds, this.#trials, cost]);
      if (task.improvements.length > 2 * MOST_POINTS) {
        task.improvements = thinned(task.improvements, MOST_POINTS);
      }
    }
  }

  addEntry(entry: Exclude<JournalEntry, { type: "round-finished" }> | RoundFinished): void {
    const moment = Date.parse(entry.time) / 1000;
    if (entry.type === "started") {
      const keys = new Map(entry.tasks.map(({ id, workloadKey }) => [id, workloadKey]));
      this.#jobs.push({ started: entry, keys, finished: null, start: moment, end: moment });
      return;
    }
    const job = this.#jobs.at(-1);
    if (!job) {
      return;
    }
    if (entry.type === "resumed") {
      this.#jobs.push({ ...job, finished: null, start: moment, end: moment });
      return;
    }
    job.end = moment;
    if (entry.type === "round-finished") {
      this.#addRound(job, entry, moment);
    } else if (entry.type === "finished") {
      job.finished = entry;
    }
  }

  /** What a page shows of it under a name. */
  named(name: string, notices: readonly string[] = []): Run {
    const last = this.#jobs.at(-1);
    return {
      name,
      target: this.target,
      tuner: last?.started.tuner ?? this.tuner ?? null,
      options: last?.started.options ?? null,
      described: new Map(
        this.#jobs.flatMap(({ started }) => started.tasks.map((task) => [task.workloadKey, task] as const)),
      ),
      tasks: this.#tasks,
      trials: this.#trials,
      failures: this.#failures,
      seconds: Math.max(this.#seconds, this.#time.total),
      ended: last ? describeEnd(last.finished?.reason ?? null) : null,
      rounds: this.#decisions.count,
      decisions: last
        ? this.#decisions.kept.map(({ moment, ...decision }) => ({ ...decision, at: this.#time.at(moment) }))
        : null,
      phases: this.#phases,
      origins: [...this.#origins.values()],
      devices: [...this.#devices.values()],
      notices,
    };
  }

  #addRound({ keys }: Job, entry: RoundFinished, moment: number): void {
    const { round, outcome, costs, failures, origins, accuracy, accuracyOf, devices, notices } = entry;
    const workloadKey = keys.get(round.task) ?? "";
    const phases = phasesOf(entry);
    this.#decisions.add({
      round: round.index,
      moment,
      workloadKey,
      id: round.task,
      kind: round.reason.type === "other" ? round.reason.name : round.reason.type,
      reason: round.reason.type === "other" ? round.reason.name : describeReason(round.reason),
      before: outcome.before,
      after: outcome.after,
      programs: costs.length,
      failed: Object.entries(failures)
        .map(([kind, count]) => `${count} ${kind}`)
        .join(", "),
      origins,
      accuracy,
      accuracyOf,
      phases,
      notes: [...notices, ...noteOfDeath(outcome.died)],
    });
    this.#phases.set(workloadKey, sumOf(phases, this.#phases.get(workloadKey)));
    for (const [name, { programs, best }] of Object.entries(origins)) {
      const before = this.#origins.get(name) ?? { name, programs: 0, rounds: 0, improved: 0 };
      const improved = best !== null && best === outcome.after && outcome.after !== outcome.before;
      this.#origins.set(name, {
        name,
        programs: before.programs + programs,
        rounds: before.rounds + 1,
        improved: before.improved + (improved ? 1 : 0),
      });
    }
    for (const [name, { programs, failures: failed, seconds }] of Object.entries(devices)) {
      const before = this.#devices.get(name) ?? { name, programs: 0, failures: 0, seconds: 0 };
      this.#devices.set(name, {
        name,
        programs: before.programs + programs,
        failures: before.failures + failed,
        seconds: before.seconds + seconds,
      });
    }
  }
}

function phasesOf({ seconds: { propose, measure, learn }, devices }: RoundFinished): Phases {
  const run = Math.min(measure, Math.max(0, ...Object.values(devices).map(({ seconds }) => seconds)));
  return { search: propose, build: measure - run, run, learn };
}

function sumOf(a: Phases, b: Phases = { search: 0, build: 0, run: 0, learn: 0 }): Phases {
  return { search: a.search + b.search, build: a.build + b.build, run: a.run + b.run, learn: a.learn + b.learn };
}

function noteOfDeath(died: boolean | string | null): string[] {
  if (typeof died === "string") {
    return [describeDeath(died)];
  }
  return died ? ["no further rounds for it"] : [];
}
