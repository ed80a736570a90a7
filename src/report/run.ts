import { InvalidRequestError } from "../errors.js";
import { type JournalEntry, journalEntries } from "../records/journal.js";
import { type LogRecord, logRecords } from "../records/log.js";
import { isSimulated } from "../records/simulated.js";
import { describeDeath, describeReason, describeStop } from "./format.js";
import type { Decision, DeviceTotal, Phases, Point } from "./page-data.js";
import { type JobTime, WorkTime } from "./work-time.js";

type Started = Extract<JournalEntry, { type: "started" }>;
type RoundFinished = Extract<JournalEntry, { type: "round-finished" }>;
type Finished = Extract<JournalEntry, { type: "finished" }>;

/** A task as a journal describes it. */
export type DescribedTask = Started["tasks"][number];

/** What the records of a log say of one task. */
export interface TaskProgress {
  trials: number;
  failures: number;
  /** Seconds; null while no program ran. */
  best: number | null;
  /** Where its best cost fell. */
  readonly improvements: Point[];
}

/** A round with its task's workload key in place of a number. */
export type RunDecision = Omit<Decision, "task"> & { readonly workloadKey: string };

/** What a log holds for one target, gathered: a few numbers for each task and one entry for each round, however many records. */
export interface Run {
  readonly name: string;
  readonly target: string;
  /** From the journal's last job; null without a journal. */
  readonly options: Readonly<Record<string, unknown>> | null;
  readonly described: ReadonlyMap<string, DescribedTask>;
  /** By workload key, in the order of the records. */
  readonly tasks: ReadonlyMap<string, TaskProgress>;
  readonly trials: number;
  readonly failures: number;
  readonly seconds: number;
  readonly ended: string | null;
  readonly decisions: readonly RunDecision[] | null;
  readonly devices: readonly DeviceTotal[];
}

/** The entries of one job in a journal. */
interface Job extends JobTime {
  readonly started: Started;
  readonly rounds: RoundFinished[];
  finished: Finished | null;
}

/**
 * Reads a log and the journal beside it: a run for each target in the log.
 *
 * @throws InvalidRequestError if the log cannot be read, is none or is empty, or the journal is none.
 */
export async function readRuns(log: string, name: string): Promise<Run[]> {
  const jobs = await readJobs(log);
  const gathered = new Map<string, RecordsOfTarget>();
  for await (const record of logRecords(log)) {
    let ofTarget = gathered.get(record.target);
    if (!ofTarget) {
      ofTarget = new RecordsOfTarget(jobs.filter(({ started }) => started.target === record.target));
      gathered.set(record.target, ofTarget);
    }
    ofTarget.add(record);
  }
  if (gathered.size === 0) {
    throw new InvalidRequestError(
      `The log ${log} holds no record. Expected a file in which a tuning has recorded programs.`,
    );
  }
  return [...gathered].map(([target, records]) => ({
    name: [name, ...(gathered.size === 1 ? [] : [target]), ...(isSimulated(target) ? ["simulated"] : [])].join(", "),
    target,
    ...records.finish(),
  }));
}

async function readJobs(log: string): Promise<Job[]> {
  const jobs: Job[] = [];
  for await (const entry of journalEntries(log)) {
    const moment = Date.parse(entry.time) / 1000;
    const job = jobs.at(-1);
    if (entry.type === "started") {
      jobs.push({ started: entry, rounds: [], finished: null, start: moment, end: moment });
    } else if (job) {
      job.end = moment;
      if (entry.type === "finished") {
        job.finished = entry;
      } else {
        job.rounds.push(entry);
      }
    }
  }
  return jobs;
}

/** Gathers the records of one target, and what the jobs for it decided. */
class RecordsOfTarget {
  readonly #jobs: readonly Job[];
  readonly #time: WorkTime;
  readonly #tasks = new Map<string, TaskProgress>();
  #trials = 0;
  #failures = 0;
  #seconds = 0;

  constructor(jobs: readonly Job[]) {
    this.#jobs = jobs;
    this.#time = new WorkTime(jobs);
  }

  add({ workloadKey, cost, timestamp }: LogRecord): void {
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
    }
  }

  finish(): Omit<Run, "name" | "target"> {
    const last = this.#jobs.at(-1);
    return {
      options: last?.started.options ?? null,
      described: new Map(
        this.#jobs.flatMap(({ started }) => started.tasks.map((task) => [task.workloadKey, task] as const)),
      ),
      tasks: this.#tasks,
      trials: this.#trials,
      failures: this.#failures,
      seconds: Math.max(this.#seconds, this.#time.total),
      ended: last ? describeEnd(last) : null,
      decisions: last ? this.#jobs.flatMap((job) => this.#decisions(job)) : null,
      devices: deviceTotals(this.#jobs.flatMap(({ rounds }) => rounds)),
    };
  }

  #decisions({ started, rounds }: Job): RunDecision[] {
    return rounds.map(({ time, round, outcome, costs, failures, origins, accuracy, devices, notices, seconds }) => ({
      round: round.index,
      at: this.#time.at(Date.parse(time) / 1000),
      workloadKey: started.tasks[round.task]?.workloadKey ?? "",
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
      phases: phasesOf(seconds, Object.values(devices)),
      notes: [...notices, ...noteOfDeath(outcome.died)],
    }));
  }
}

function phasesOf(
  { propose, measure, learn }: RoundFinished["seconds"],
  devices: readonly { readonly seconds: number }[],
): Phases {
  const run = Math.min(measure, Math.max(0, ...devices.map(({ seconds }) => seconds)));
  return { search: propose, build: measure - run, run, learn };
}

function describeEnd({ finished }: Job): string {
  if (finished === null) {
    return "no end in its journal: it still runs, or was killed";
  }
  const { type, trials = 0 } = finished.reason;
  switch (type) {
    case "trials-spent":
    case "no-improvement":
      return describeStop({ type, trials });
    case "all-tasks-dead":
    case "cancelled":
      return describeStop({ type });
    default:
      return type;
  }
}

function deviceTotals(rounds: readonly RoundFinished[]): DeviceTotal[] {
  const totals = new Map<string, DeviceTotal>();
  for (const { devices } of rounds) {
    for (const [name, { programs, failures, seconds }] of Object.entries(devices)) {
      const before = totals.get(name) ?? { name, programs: 0, failures: 0, seconds: 0 };
      totals.set(name, {
        name,
        programs: before.programs + programs,
        failures: before.failures + failures,
        seconds: before.seconds + seconds,
      });
    }
  }
  return [...totals.values()];
}

function noteOfDeath(died: boolean | string | null): string[] {
  if (typeof died === "string") {
    return [describeDeath(died)];
  }
  return died ? ["no further rounds for it"] : [];
}
