import { readFile, stat } from "node:fs/promises";
import { z } from "zod";
import { ORIGINS } from "../core/fast/recipe.js";
import { InvalidRequestError } from "../errors.js";
import { PAIRS_OF } from "../protocol/operations/review.js";
import { runsOnCpu } from "../target.js";
import { type Line, linesOf } from "./lines.js";
import { journalOf } from "./paths.js";
import { renamed } from "./renamed.js";

const share = z.object({ programs: z.number(), failures: z.number(), seconds: z.number() });
export type DeviceTotals = z.infer<typeof share>;

const roundFinished = z.object({ type: z.literal("round-finished"), devices: z.record(z.string(), share) });

/**
 * What each device did over all rounds of a log's journal, by its name. A line that is cut short is left out.
 *
 * @throws InvalidRequestError if there is no journal beside the log.
 */
export async function readDeviceTotals(log: string): Promise<Map<string, DeviceTotals>> {
  const path = journalOf(log);
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new InvalidRequestError(
      `${path} cannot be read (${error.code}). Expected the log of a tuning, journal beside.`,
    );
  });
  const totals = new Map<string, DeviceTotals>();
  for (const line of text.split("\n")) {
    const entry = roundFinished.safeParse(parsed(line));
    for (const [name, did] of Object.entries(entry.data?.devices ?? {})) {
      const before = totals.get(name) ?? { programs: 0, failures: 0, seconds: 0 };
      totals.set(name, {
        programs: before.programs + did.programs,
        failures: before.failures + did.failures,
        seconds: before.seconds + did.seconds,
      });
    }
  }
  return totals;
}

const jobBegun = z.object({
  type: z.enum(["started", "resumed"]),
  target: z.string().optional(),
  threads: z.number().nullable().optional(),
});

/**
 * The numbers of threads that the programs of a log were timed on, by the journal beside it: none without a journal, or where
 * that was not the machine's own CPU; null among them for a job that did not say. A line that is no entry is left out.
 */
export async function readThreads(log: string): Promise<(number | null)[]> {
  const path = journalOf(log);
  const numbers = new Set<number | null>();
  if (!(await stat(path).catch(() => null))) {
    return [];
  }
  let onCpu = false;
  for await (const { text } of linesOf(path, cannotBeRead(path))) {
    const entry = /"type":"(started|resumed)"/.test(text) ? jobBegun.safeParse(parsed(text)).data : undefined;
    onCpu = entry?.target === undefined ? onCpu : runsOnCpu(entry.target);
    if (entry && onCpu && entry.threads !== null) {
      numbers.add(entry.threads ?? null);
    }
  }
  return [...numbers];
}

const ofFamily = z.object({ family: z.string(), after: z.number() });

const per = z.enum(["second", "program"]).default("second");

/** The reasons of both schedulers; of another version's, what it was called. */
const reasonSchema = z.preprocess(
  renamed({ perSecond: "rate" }),
  z.union([
    z.discriminatedUnion("type", [
      z.object({ type: z.literal("warm-up") }),
      z.object({ type: z.literal("next-in-turn") }),
      z.object({ type: z.literal("steepest"), gradient: z.number() }),
      z.object({ type: z.literal("drawn"), among: z.number(), gradient: z.number() }),
      ofFamily.extend({ type: z.literal("foresee"), among: z.number(), drawn: z.boolean(), gradient: z.number() }),
      z.object({ type: z.literal("first-look"), family: z.string(), first: z.boolean() }),
      z.object({ type: z.literal("expected-gain"), rate: z.number(), next: z.number().nullable(), per }),
      ofFamily.extend({ type: z.literal("expected-of-schedules"), gain: z.number(), rate: z.number(), per }),
    ]),
    z.object({ type: z.string() }).transform(({ type }) => ({ type: "other" as const, name: type })),
  ]),
);

const cost = z.number().nullable();
const time = z.iso.datetime();

/** What a job started from, so that it can be gone on with. */
const basis = z.object({
  trialsPerRound: z.number(),
  /** Programs of a family's first look at most; null, and in earlier journals: as many as two rounds have. */
  firstLook: z.number().nullable().default(null),
  /** Bytes of the log before the job's first record. */
  logBytes: z.number(),
  /** Logs whose first bytes the job took over; null is its own, which may have been moved since. */
  loaded: z.array(z.object({ log: z.string().nullable(), bytes: z.number() })),
  /** Programs of an earlier job that count as this one's. */
  trialsBefore: z.number(),
  /** Bounds on the tasks' costs in seconds; null where the machine was not asked. */
  leastCosts: z.array(z.number()).nullable(),
  /**
   * What the job is called in the library of earlier jobs, the jobs that it began with schedules or models of, and the families
   * that it had schedules for; null where it had no library, as jobs of before.
   */
  library: z
    .object({ job: z.string(), jobs: z.array(z.string()), families: z.array(z.string()) })
    .nullable()
    .default(null),
});
export type Basis = z.infer<typeof basis>;

/** Why a job ended, as far as it is read here. */
const endReason = z.object({
  type: z.string(),
  /** Of `trials-spent`, `no-improvement` and `little-left`. */
  trials: z.number().optional(),
  /** Of `little-left`: what as many programs again were expected to gain, and the least worth it, as shares. */
  expected: z.number().optional(),
  least: z.number().optional(),
  /** Of `nothing-ran`. */
  programs: z.number().optional(),
  failures: z.record(z.string(), z.number()).optional(),
  firstError: z.string().nullable().optional(),
});
export type JournaledEnd = z.infer<typeof endReason>;

const entrySchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("started"),
    time,
    /** What searched; journals of before there were two do not say. */
    tuner: z.string().default("ansor"),
    target: z.string(),
    /** What the network is compiled for; journals of the first versions do not say. */
    inputs: z
      .array(z.object({ name: z.string(), shape: z.array(z.number()).readonly(), dtype: z.string() }))
      .readonly()
      .optional(),
    options: z.record(z.string(), z.unknown()),
    /** Journals of the first versions have none. */
    basis: basis.optional(),
    /** Journals of earlier versions do not say; null: not this machine's CPU. */
    threads: z.number().nullable().optional(),
    tasks: z.array(
      z.object({
        /** The task's number in the network. Older journals count a job's own tasks from 0. */
        id: z.number().optional(),
        workloadKey: z.string(),
        words: z.string(),
        family: z.string().nullable(),
        weight: z.number(),
        flops: z.number(),
      }),
    ),
  }),
  /** The same job goes on in another process. */
  z.object({
    type: z.literal("resumed"),
    time,
    trials: z.number(),
    /** The tasks' numbers in the network, which all entries from here on have. Older journals do without. */
    tasks: z.array(z.number()).optional(),
    threads: z.number().nullable().optional(),
  }),
  z.object({
    type: z.literal("round-started"),
    time,
    round: z.object({ index: z.number(), task: z.number(), programs: z.number(), reason: reasonSchema }),
    /** Bytes of the log before the round's first record. */
    logBytes: z.number(),
    /** What the worker, asked when the round was chosen, expected of siblings; null if it was not asked. */
    gains: z.array(z.number()).nullable(),
  }),
  /** Written before the record, so that it may be the only one that is there: then the program counts as not measured. */
  z.object({
    type: z.literal("measured"),
    time,
    /** Of the round's, from 0. */
    program: z.number(),
    cost,
    failure: z.string().nullable(),
    device: z.string().nullable(),
    origin: z.enum(ORIGINS),
    timingSeconds: z.number(),
    /** Journals of earlier versions have none of these. */
    waited: z.number().nullable().default(null),
    disturbed: z.boolean().default(false),
    timings: z.number().default(1),
    /** Since the round began. */
    seconds: z.number(),
  }),
  z.object({
    type: z.literal("round-finished"),
    time,
    /** Bytes of the log after the round's last record. */
    logBytes: z.number().default(0),
    round: z.object({ index: z.number(), task: z.number(), reason: reasonSchema }),
    outcome: z.object({
      before: cost,
      after: cost,
      /** Journals of the first versions say only whether. */
      died: z.union([z.boolean(), z.string()]).nullable(),
    }),
    costs: z.array(cost),
    failures: z.record(z.string(), z.number()),
    /** Journals of the first versions have neither. */
    origins: z.record(z.string(), z.object({ programs: z.number(), best: cost })).default({}),
    accuracy: z.number().nullable().default(null),
    /** Which pairs the accuracy is of; journals of before there was a choice do not say. */
    accuracyOf: z.enum(PAIRS_OF).default("round"),
    devices: z.record(z.string(), share).default({}),
    notices: z.array(z.string()).default([]),
    firstError: z.string().nullable().default(null),
    seconds: z.object({ propose: z.number(), measure: z.number(), learn: z.number(), total: z.number().default(0) }),
  }),
  z.object({
    type: z.literal("finished"),
    time,
    reason: endReason,
    trials: z.number(),
  }),
]);

type WrittenEntry = z.infer<typeof entrySchema>;
type WrittenStart = Extract<WrittenEntry, { type: "started" }>;

/** An entry of the journal, as far as it is read here. Costs are seconds; `time` is ISO 8601; tasks have the network's numbers. */
export type JournalEntry =
  | Exclude<WrittenEntry, WrittenStart>
  | (Omit<WrittenStart, "tasks"> & { readonly tasks: (WrittenStart["tasks"][number] & { readonly id: number })[] });

const KNOWN_ENTRIES: ReadonlySet<unknown> = new Set([
  "started",
  "resumed",
  "round-started",
  "measured",
  "round-finished",
  "finished",
]);

/**
 * The entries of the journal beside a log, one after another; none if there is no journal. A last line that was cut short
 * is left out, and so are entries of types that are not known here.
 *
 * @throws InvalidRequestError if the journal cannot be read, or a line of it is no entry.
 */
export async function* journalEntries(log: string): AsyncGenerator<JournalEntry, void, void> {
  const path = journalOf(log);
  if (!(await stat(path).catch(() => null))) {
    return;
  }
  const numbering = new Numbering();
  for await (const line of linesOf(path, cannotBeRead(path))) {
    const entry = line.text.trim() === "" ? null : journalEntry(line, path);
    if (entry) {
      yield numbering.apply(entry);
    }
  }
}

/** Gives the entries of older journals, which count a job's own tasks from 0, the network's numbers. */
class Numbering {
  /** Of the job's tasks, by what its entries call them; null where they have these numbers already. */
  #numbers: readonly number[] | null = null;

  apply(entry: WrittenEntry): JournalEntry {
    switch (entry.type) {
      case "started": {
        const only = tasksInOrder(entry.options);
        const tasks = entry.tasks.map((task, place) => ({ ...task, id: task.id ?? only?.[place] ?? place }));
        this.#numbers = entry.tasks.some(({ id }) => id !== undefined) ? null : tasks.map(({ id }) => id);
        return { ...entry, tasks };
      }
      case "resumed":
        this.#numbers = entry.tasks ? null : this.#numbers;
        return entry;
      case "round-started":
        return { ...entry, round: this.#numbered(entry.round) };
      case "round-finished":
        return { ...entry, round: this.#numbered(entry.round) };
      case "measured":
      case "finished":
        return entry;
    }
  }

  #numbered<R extends { readonly task: number; readonly reason: z.infer<typeof reasonSchema> }>(round: R): R {
    const { task, reason } = round;
    const numberOf = (each: number) => this.#numbers?.[each] ?? each;
    return {
      ...round,
      task: numberOf(task),
      reason: "after" in reason ? { ...reason, after: numberOf(reason.after) } : reason,
    };
  }
}

/** Of a job's options the tasks that it is to tune, each once, in their order; null for all. */
function tasksInOrder({ onlyTasks }: Readonly<Record<string, unknown>>): readonly number[] | null {
  const numbers = z.array(z.number()).safeParse(onlyTasks).data;
  return numbers ? [...new Set(numbers)].sort((a, b) => a - b) : null;
}

function journalEntry({ text, number, whole }: Line, path: string): WrittenEntry | null {
  const content = parsed(text);
  if (!whole && content === null) {
    return null;
  }
  const type = z.object({ type: z.string() }).safeParse(content).data?.type;
  if (type !== undefined && !KNOWN_ENTRIES.has(type)) {
    return null;
  }
  const entry = entrySchema.safeParse(renamed({ timing_seconds: "timingSeconds" })(content));
  if (!entry.success) {
    const what = entry.error.issues.map(({ path: at, message }) => `${at.join(".")}: ${message}`).join("; ");
    throw new InvalidRequestError(
      `Line ${number} of ${path} is no entry of a journal (${what}): ${text.slice(0, 60)}. Move the journal away to do without it.`,
    );
  }
  return entry.data;
}

function cannotBeRead(path: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    throw new InvalidRequestError(
      `${path} cannot be read (${error.code}). Expected a journal, or none beside the log.`,
    );
  };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

/** An entry's line, with the time it is now. */
export function entry(content: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ time: new Date().toISOString(), ...content });
}
