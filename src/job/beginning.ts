import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { PastProgram } from "../core/decider.js";
import { InvalidRequestError } from "../errors.js";
import { describeLoaded, type LoadedRecords, type LogPart, loadRecords, type Wanted } from "../network/loading.js";
import type { CompleteTuneOptions } from "../options/defaults.js";
import type { JobHistory } from "../records/job-history.js";
import type { Basis } from "../records/journal.js";
import { journalOf } from "../records/paths.js";
import { describeSkipped } from "../records/skipped.js";
import type { Worker } from "../worker/worker.js";
import type { Start } from "./decider.js";
import type { NamedTask } from "./events.js";
import type { FamilyWorkers } from "./family-workers.js";
import type { Sized } from "./round-sizes.js";

/** What a job takes over from logs, and where it starts from. */
export interface Beginning {
  readonly start: Omit<Start, "expectGains" | "policy" | "carriedOver">;
  readonly recordsTaken: number;
  /** The records of its own log that count as this job's programs though its journal tells of no round with them. */
  readonly ownBefore: readonly PastProgram[];
  /** The records of the round that was cut short, oldest first. */
  readonly inRound: readonly PastProgram[];
  /** Logs whose first bytes were taken over; not this job's own part of its log. */
  readonly loaded: readonly { readonly log: string; readonly bytes: number }[];
  readonly notices: readonly string[];
}

interface Network {
  readonly target: string;
  /** Those that the job tunes. */
  readonly tasks: readonly NamedTask[];
}

/** A new job: with the records of `loadLog`, and, where it is to go on from records alone, with those of its log. */
export async function beginNew(
  workers: FamilyWorkers,
  { options, firstLook }: Sized,
  network: Network,
): Promise<Beginning> {
  const { loadLog, log, resume } = options;
  const sizes = { loadLog: loadLog === null ? 0 : await sizeOf(loadLog), log: resume ? ((await sizeOf(log)) ?? 0) : 0 };
  if (sizes.loadLog === null) {
    throw new InvalidRequestError(`The log ${loadLog} cannot be read. Expected a file a tuning wrote.`);
  }
  const parts: LogPart[] = [];
  if (loadLog !== null && !(sizes.log > 0 && resolve(loadLog) === resolve(log))) {
    parts.push({ log: loadLog, from: 0, to: sizes.loadLog });
  }
  if (sizes.log > 0) {
    parts.push({ log, from: 0, to: sizes.log });
  }
  const loaded = await loadAll(workers, parts, wanted(options, network));
  const notices = loaded.flatMap((each) => describeLoaded(each, network.tasks.length, network.target));
  const own = sizes.log > 0 ? (loaded.at(-1)?.records ?? []) : [];
  return {
    start: {
      measuredBefore: loaded.flatMap(({ records }) => records),
      trialsBefore: own.length,
      trialsPerRound: options.trialsPerRound,
      firstLook,
      leastCosts: await leastCosts(workers.first, options, network),
    },
    recordsTaken: countOf(loaded),
    ownBefore: own,
    inRound: [],
    loaded: parts.map((part) => ({ log: part.log, bytes: part.to ?? 0 })),
    notices: resume
      ? [sizes.log > 0 ? alone(log, own.length) : `${log} has nothing to go on with: the job is new`, ...notices]
      : notices,
  };
}

/**
 * A job that goes on: what it took over when it started, and what it measured since, which its decider learns from the journal.
 *
 * @throws InvalidRequestError if a log has become shorter than the journal knows it.
 */
export async function beginAgain(
  workers: FamilyWorkers,
  options: CompleteTuneOptions,
  { started: { basis }, rounds }: JobHistory,
  network: Network,
): Promise<Beginning> {
  const { log } = options;
  const ofTasks = wanted(options, network);
  const last = rounds.at(-1);
  const cut = last && !last.finished ? last.started : null;
  const loaded = basis.loaded.map((each) => ({ log: each.log ?? log, bytes: each.bytes }));
  for (const { log: path, bytes } of [...loaded, { log, bytes: (last?.finished ?? last?.started ?? basis).logBytes }]) {
    await requireSize(path, bytes, log);
  }
  const before = await loadAll(
    workers,
    loaded.map(({ log: path, bytes }) => ({ log: path, from: 0, to: bytes })),
    ofTasks,
  );
  const ofJob = await loadAll(workers, [{ log, from: basis.logBytes, to: cut?.logBytes ?? null }], ofTasks);
  const ofRound = cut ? await loadAll(workers, [{ log, from: cut.logBytes, to: null }], ofTasks) : [];
  return {
    start: {
      measuredBefore: before.flatMap(({ records }) => records),
      trialsBefore: basis.trialsBefore,
      trialsPerRound: basis.trialsPerRound,
      firstLook: basis.firstLook,
      leastCosts: basis.leastCosts,
    },
    recordsTaken: countOf([...before, ...ofJob, ...ofRound]),
    ownBefore:
      basis.trialsBefore > 0
        ? before.filter((each) => resolve(each.log) === resolve(log)).flatMap(({ records }) => records)
        : [],
    inRound: ofRound.flatMap(({ records }) => records).filter(({ task }) => task === cut?.round.task),
    loaded,
    notices: [
      ...before.flatMap((each) => describeLoaded(each, network.tasks.length, network.target)),
      ...[...ofJob, ...ofRound].flatMap((each) => describeSkipped(each.log, each.skipped)),
    ],
  };
}

/** What the journal is to know of how a new job began. */
export function basisOf(
  { start, loaded }: Beginning,
  trialsPerRound: number,
  log: { path: string; size: number },
  library: Basis["library"],
): Basis {
  return {
    trialsPerRound,
    firstLook: start.firstLook,
    logBytes: log.size,
    // Of its own log a torn last line may have been dropped since.
    loaded: loaded.map((each) =>
      resolve(each.log) === resolve(log.path) ? { log: null, bytes: log.size } : { ...each, log: resolve(each.log) },
    ),
    trialsBefore: start.trialsBefore,
    leastCosts: start.leastCosts ? [...start.leastCosts] : null,
    library,
  };
}

function alone(log: string, records: number): string {
  return (
    `${log} has no journal that tells of its job's decisions: the job goes on from its ${records} records alone, with their ` +
    "counts and best costs"
  );
}

function wanted({ acceptOtherTargets, onlyTasks }: CompleteTuneOptions, { tasks }: Network): Wanted {
  return { otherTargets: acceptOtherTargets, only: onlyTasks && tasks.map(({ id }) => id) };
}

async function leastCosts(
  worker: Worker,
  { mode, roofline }: CompleteTuneOptions,
  { tasks }: Network,
): Promise<number[] | null> {
  const bounds = mode === "fast" && roofline ? (await worker.request("bounds", {})).least_costs : null;
  return bounds && tasks.map(({ id }) => bounds[id] ?? 0);
}

/** One part after another, by every worker: each keeps what it loads, and the order counts. */
async function loadAll(workers: FamilyWorkers, parts: readonly LogPart[], ofTasks: Wanted): Promise<LoadedRecords[]> {
  const loaded: LoadedRecords[] = [];
  for (const part of parts) {
    if (part.to === null ? await sizeOf(part.log) : part.to > part.from) {
      const byEach = await Promise.all(workers.all.map((worker) => loadRecords(worker, part, ofTasks)));
      loaded.push(...byEach.slice(0, 1));
    }
  }
  return loaded;
}

function countOf(loaded: readonly LoadedRecords[]): number {
  return loaded.reduce((sum, { records }) => sum + records.length, 0);
}

async function requireSize(path: string, bytes: number, job: string): Promise<void> {
  const size = (await sizeOf(path)) ?? 0;
  if (size < bytes) {
    throw new InvalidRequestError(
      `${path} has ${size} bytes, but the journal of ${job} knows ${bytes} of it: records are missing. Put the file back, or move ` +
        `${journalOf(job)} away to go on from the records that are left.`,
    );
  }
}

async function sizeOf(path: string): Promise<number | null> {
  return (await stat(path).catch(() => null))?.size ?? null;
}
