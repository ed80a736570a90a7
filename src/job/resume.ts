import { isDeepStrictEqual } from "node:util";
import type { ExpectGains } from "../core/fast/options.js";
import { InvalidRequestError } from "../errors.js";
import type { CompleteTuneOptions } from "../options/defaults.js";
import type { AnyEntries, Entry } from "../options/entry.js";
import { OF_FAST, OPTIONS } from "../options/table.js";
import type { JobHistory, PastRound } from "../records/job-history.js";
import { journalOf } from "../records/paths.js";
import type { JobDecider } from "./decider.js";
import type { NamedTask, Program } from "./events.js";

/**
 * The options of a job that goes on: those that its journal does not know are as they were before they were there, unless
 * something else than their default is asked for.
 */
export function asBegun(
  options: CompleteTuneOptions,
  history: JobHistory,
  entries: AnyEntries = OPTIONS,
): CompleteTuneOptions {
  const known = flat(history.started.options);
  const given: Readonly<Record<string, unknown>> = { ...options };
  const asBefore = Object.entries(entries)
    .filter(([name, entry]) => !(name in known) && isDeepStrictEqual(given[name], defaultOf(entry, options)))
    .map(([name, entry]) => [name, valueBefore(name, entry, options)] as const)
    .filter(([, value]) => value !== undefined);
  return { ...options, ...Object.fromEntries(asBefore) };
}

/** What a job was decided by whose journal does not know the option. */
function valueBefore(name: string, entry: Entry<unknown>, options: CompleteTuneOptions): unknown {
  const hasSay = options.mode === "fast" || !(name in OF_FAST);
  return hasSay && entry.before !== undefined ? entry.before : defaultOf(entry, options);
}

function defaultOf(entry: Entry<unknown>, { mode }: CompleteTuneOptions): unknown {
  return mode === "fast" && entry.inFast !== undefined ? entry.inFast : entry.default;
}

/**
 * Checks that options are those of a job that is to go on.
 *
 * @throws InvalidRequestError that says which differ.
 */
export function requireSameOptions(
  options: CompleteTuneOptions,
  history: JobHistory,
  entries: AnyEntries = OPTIONS,
): void {
  const before = flat(history.started.options);
  const now = asJournaled(options, entries);
  // Null is a value; only a journal of before the option was there lacks it.
  const was = (name: string, entry: Entry<unknown>) =>
    name in before ? before[name] : valueBefore(name, entry, options);
  const differing = Object.entries(entries)
    .filter(([name, entry]) => entry.decides && !isSame(entry, was(name, entry), now[name]))
    .map(([name, entry]) => `${name} was ${JSON.stringify(was(name, entry))} and is ${JSON.stringify(now[name])}`);
  if (options.tuner !== undefined && options.tuner !== history.started.tuner) {
    differing.push(`tuner was "${history.started.tuner}" and is "${options.tuner}"`);
  }
  if (options.trials < history.trials) {
    differing.push(`trials were ${history.trials} and are ${options.trials}: they may only be raised`);
  }
  if (differing.length > 0) {
    throw new InvalidRequestError(
      `The job of ${options.log} cannot go on with other options: ${differing.join("; ")}. Ask for what it was started with, ` +
        "or start another job with another --log.",
    );
  }
}

/** Whether an ended job that goes on as it is would end at once. */
export function endsAtOnce({ trials, leastGain }: CompleteTuneOptions, history: JobHistory): boolean {
  const { ended } = history;
  if (ended === null) {
    return false;
  }
  return ended.type === "little-left"
    ? leastGain !== null && (ended.expected ?? 0) < leastGain
    : trials === history.trials;
}

/** In earlier journals the flags of the fast mode stand under `means`. */
function flat({ means, ...options }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { ...options, ...(typeof means === "object" ? means : {}) };
}

function isSame({ anyOrder }: Entry<unknown>, before: unknown, now: unknown): boolean {
  return anyOrder && Array.isArray(before) && Array.isArray(now)
    ? isDeepStrictEqual(new Set(before.map(inOneOrder)), new Set(now.map(inOneOrder)))
    : isDeepStrictEqual(before, now);
}

/** A part of an option as text, its fields in the order of their names. */
function inOneOrder(part: unknown): string {
  return JSON.stringify(part, typeof part === "object" && part !== null ? Object.keys(part).sort() : undefined);
}

/** Options as the journal has them. */
export function asJournaled(options: CompleteTuneOptions, entries: AnyEntries = OPTIONS): Record<string, unknown> {
  const values: Readonly<Record<string, unknown>> = { ...options };
  const otherwise = Object.entries(entries).flatMap(([name, entry]) =>
    entry.journaled ? [[name, entry.journaled(values[name])] as const] : [],
  );
  return JSON.parse(JSON.stringify({ ...values, ...Object.fromEntries(otherwise) }));
}

/** @throws InvalidRequestError if the network has other tasks than the job's, or is built for another target. */
export function requireSameTasks(log: string, history: JobHistory, tasks: readonly NamedTask[], target: string): void {
  const { started } = history;
  if (started.target !== target) {
    throw new InvalidRequestError(
      `The job of ${log} tunes for the target ${started.target}, not for ${target}. Ask for its target.`,
    );
  }
  const same =
    started.tasks.length === tasks.length &&
    started.tasks.every(({ id, workloadKey }, place) => {
      const task = tasks[place];
      return workloadKey === task?.workloadKey && id === task.id;
    });
  if (!same) {
    throw new InvalidRequestError(
      `The job of ${log} tunes other tasks than the network has now: the network, or how TVM finds its tasks, has changed. ` +
        `Move ${journalOf(log)} away to go on from the records alone.`,
    );
  }
}

/** What the worker expects of siblings, remembered for the journal; in a replay, what the journal remembers. */
export class ExpectedGains {
  #recorded: readonly number[] | null = null;
  /** What was answered when the last round was chosen; null if nothing was asked. */
  asked: readonly number[] | null = null;

  constructor(private readonly askWorker: ExpectGains) {}

  /** To be called before a round is chosen, with what the journal has of it, if anything. */
  expectRound(recorded: readonly number[] | null): void {
    this.#recorded = recorded;
    this.asked = null;
  }

  readonly ask: ExpectGains = async (task, siblings) => {
    this.asked = this.#recorded ?? (await this.askWorker(task, siblings));
    return this.asked;
  };
}

/** The part of a round that was done before it was cut short. */
export interface Begun {
  readonly measured: readonly Program[];
  readonly seconds: number;
}

export const NOTHING_BEGUN: Begun = { measured: [], seconds: 0 };

/**
 * Has a decider decide again what a journal says it decided, and observe what was measured then.
 *
 * @throws InvalidRequestError if it decides otherwise.
 */
export async function replay(
  log: string,
  rounds: readonly PastRound[],
  decider: JobDecider,
  gains: ExpectedGains,
): Promise<void> {
  for (const { started, measured, finished } of rounds) {
    gains.expectRound(started.gains);
    const action = await decider.next();
    const { index, task } = started.round;
    if (action.type === "stop" || action.task !== task) {
      const now = action.type === "stop" ? "the job would stop" : `task ${action.task} would be searched`;
      const why =
        action.type === "stop" && action.reason.type === "little-left"
          ? "little was left to gain by then. Ask for the --least-gain it had, or --no-least-gain."
          : "its journal was changed, or is of another version of familyseer. " +
            `Move ${journalOf(log)} away to go on from the records alone.`;
      throw new InvalidRequestError(
        `Round ${index} of the job of ${log} searched task ${task}, where now ${now}: ${why}`,
      );
    }
    if (finished) {
      const programs = finished.costs.map((cost, program) => ({
        cost,
        origin: measured[program]?.origin ?? ("evolution" as const),
        disturbed: measured[program]?.disturbed ?? false,
      }));
      await decider.observe(programs, { seconds: finished.seconds.total, accuracy: finished.accuracy });
    }
  }
}

/** What was done of the round that was cut short, by the records that the log has of it. */
export function begun({ measured }: PastRound, records: readonly { readonly cost: number | null }[]): Begun {
  const programs = records.map(({ cost }, index): Program => {
    const entry = measured[index];
    return entry
      ? { ...entry, message: null }
      : { cost, failure: null, message: null, device: null, origin: "evolution", disturbed: false, timingSeconds: 0 };
  });
  return { measured: programs, seconds: measured[programs.length - 1]?.seconds ?? 0 };
}
