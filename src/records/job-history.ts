import { type Basis, type JournalEntry, type JournaledEnd, journalEntries } from "./journal.js";

type Started = Extract<JournalEntry, { type: "started" }>;
type RoundStarted = Extract<JournalEntry, { type: "round-started" }>;
type RoundFinished = Extract<JournalEntry, { type: "round-finished" }>;
export type MeasuredEntry = Extract<JournalEntry, { type: "measured" }>;

/** A round as its journal has it. */
export interface PastRound {
  readonly started: RoundStarted;
  /** By their numbers in the round; of a round that was cut short the last may be in no log. */
  readonly measured: readonly MeasuredEntry[];
  /** Null for one that was cut short. */
  readonly finished: RoundFinished | null;
}

/** All that the last job of a journal did. */
export interface JobHistory {
  readonly started: Started & { readonly basis: Basis };
  /** As asked for last. */
  readonly trials: number;
  /** All but the last are finished. */
  readonly rounds: readonly PastRound[];
  /** How it ended; null if it never did, or was ended by its user. */
  readonly ended: JournaledEnd | null;
  readonly failures: number;
}

/**
 * What the last job of the journal beside a log did; null if there is no journal, or one of a version that cannot be gone on
 * with.
 *
 * @throws InvalidRequestError for a journal that is broken before its last line.
 */
export async function readHistory(log: string): Promise<JobHistory | null> {
  let job: Gathered | null = null;
  for await (const entry of journalEntries(log)) {
    if (entry.type === "started") {
      job = new Gathered(entry);
    } else {
      job?.add(entry);
    }
  }
  return job?.history() ?? null;
}

class Gathered {
  readonly #rounds: PastRound[] = [];
  #trials: number;
  #ended: JobHistory["ended"] = null;

  constructor(private readonly started: Started) {
    this.#trials = Number(started.options.trials);
  }

  add(entry: Exclude<JournalEntry, Started>): void {
    const round = this.#rounds.at(-1);
    switch (entry.type) {
      case "resumed":
        this.#trials = entry.trials;
        this.#ended = null;
        break;
      case "round-started":
        this.#rounds.push({ started: entry, measured: [], finished: null });
        break;
      case "measured":
        if (round) {
          this.#replaceLast({ ...round, measured: [...round.measured.slice(0, entry.program), entry] });
        }
        break;
      case "round-finished":
        if (round) {
          this.#replaceLast({ ...round, finished: entry });
        }
        break;
      case "finished":
        this.#end(entry.reason, round);
        break;
    }
  }

  /** A round that the user's end of the job cut short goes on, too. */
  #end(reason: JournaledEnd, round: PastRound | undefined): void {
    const cancelled = reason.type === "cancelled";
    this.#ended = cancelled ? null : reason;
    if (cancelled && round?.finished && round.finished.costs.length < round.started.round.programs) {
      this.#replaceLast({ ...round, finished: null });
    }
  }

  #replaceLast(round: PastRound): void {
    this.#rounds[this.#rounds.length - 1] = round;
  }

  history(): JobHistory | null {
    const { basis } = this.started;
    return basis === undefined
      ? null
      : {
          started: { ...this.started, basis },
          trials: this.#trials,
          rounds: this.#rounds,
          ended: this.#ended,
          failures: this.#rounds.flatMap(({ finished }) => finished?.costs ?? []).filter((each) => each === null)
            .length,
        };
  }
}

/** What the journal beside a log says of its last job. */
export interface JobEnd {
  readonly tuner: string;
  /** Workload keys of the job's tasks. */
  readonly tasks: readonly string[];
  /** By workload key: the tasks of all of the journal's jobs. */
  readonly described: ReadonlyMap<string, Started["tasks"][number]>;
  /** Null where the journal has no end: the job still runs, or was killed. */
  readonly reason: JournaledEnd | null;
}

/** How the last job of a log ended, and what its journal says of tasks; null without a journal. */
export async function readJobEnd(log: string): Promise<JobEnd | null> {
  let tasks: readonly string[] | null = null;
  let tuner = "";
  let reason: JobEnd["reason"] = null;
  const described = new Map<string, Started["tasks"][number]>();
  for await (const entry of journalEntries(log)) {
    if (entry.type === "started") {
      tuner = entry.tuner;
      tasks = entry.tasks.map(({ workloadKey }) => workloadKey);
      for (const task of entry.tasks) {
        described.set(task.workloadKey, task);
      }
    }
    reason = entry.type === "finished" ? entry.reason : null;
  }
  return tasks && { tuner, tasks, described, reason };
}
