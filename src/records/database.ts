import { z } from "zod";
import { UNMEASURED_COST } from "../core/task.js";
import { InvalidRequestError } from "../errors.js";
import type { Workloads } from "../protocol/operations/workloads.js";
import { entry } from "./journal.js";
import { linesOf } from "./lines.js";
import { journalOf, workloadsOf } from "./paths.js";
import type { LogRecord } from "./record.js";
import type { Unusable } from "./skipped.js";

/** A line of MetaSchedule's records (TVM: src/s_tir/meta_schedule/database/database.cc): workload, trace, times, target. */
const recordSchema = z.tuple([
  z.number().int().min(0),
  z.tuple([
    z.tuple([z.array(z.unknown()), z.array(z.unknown())]),
    z.array(z.number()).min(1),
    z.record(z.string(), z.unknown()).nullable(),
    z.unknown(),
  ]),
]);

/** What TVM writes of an argument: `["TENSOR", "float32", [1, 64]]`. */
const argumentsSchema = z.array(z.tuple([z.string(), z.string(), z.array(z.number())]));

const HASH = /^\["(\d+)",/;

/** What names the tasks and the target in a database, for its journal: its records say neither in full. */
export function namesEntry(
  { numbers, target: spelled }: Workloads,
  target: string,
  tasks: readonly { readonly id: number; readonly workloadKey: string }[],
): string {
  const workloads = tasks.map(({ id, workloadKey }) => ({ number: numbers[id], workloadKey }));
  return entry({ type: "database", target, spelled, workloads });
}

const namesSchema = z.object({
  type: z.literal("database"),
  target: z.string(),
  spelled: z.string(),
  workloads: z.array(z.object({ number: z.number(), workloadKey: z.string() })),
});
const roundSchema = z.object({ type: z.literal("round-started"), logBytes: z.number() });
const measuredSchema = z.object({ type: z.literal("measured"), program: z.number(), time: z.iso.datetime() });

/** Reads the lines of a database's file of records, one after another, by its workloads and what the journal knows. */
export class DatabaseReader {
  readonly #journal: JournaledNames;
  /** Of each workload the hash; null for a line that is none. */
  readonly #hashes: readonly (string | null)[];
  /** By number. */
  readonly #keys: Map<number, string>;
  #bytes = 0;

  private constructor(journal: JournaledNames, hashes: readonly (string | null)[]) {
    this.#journal = journal;
    this.#hashes = hashes;
    this.#keys = new Map(journal.keys);
  }

  /** @throws InvalidRequestError if there are no workloads beside the records. */
  static async open(log: string): Promise<DatabaseReader> {
    const path = workloadsOf(log);
    const hashes: (string | null)[] = [];
    const refuse = ({ code }: NodeJS.ErrnoException) => {
      throw new InvalidRequestError(
        `${path} cannot be read (${code}). Expected it beside ${log}: a database is both files.`,
      );
    };
    for await (const { text, whole } of linesOf(path, refuse)) {
      const isCut = !whole && contentOf(text) === undefined;
      if (!isCut) {
        hashes.push(HASH.exec(text)?.[1] ?? null);
      }
    }
    return new DatabaseReader(await JournaledNames.read(log), hashes);
  }

  /** The next line as a record, or why it is none that can be used. */
  record(line: string): LogRecord | Unusable {
    const at = this.#bytes;
    this.#bytes += Buffer.byteLength(line) + 1;
    const parsed = recordSchema.safeParse(contentOf(line));
    if (!parsed.success) {
      return { reason: "no-record", of: null };
    }
    const [number, [, times, target, args]] = parsed.data;
    const failed = times.every((seconds) => seconds === UNMEASURED_COST);
    if (!failed && !times.every((seconds) => seconds > 0 && seconds < UNMEASURED_COST)) {
      return { reason: "impossible-time", of: null };
    }
    const hash = this.#hashes[number];
    if (hash === undefined || hash === null) {
      return { reason: "no-workload", of: null };
    }
    const workloadKey = this.#keys.get(number) ?? keyOf(hash, args);
    this.#keys.set(number, workloadKey);
    return {
      workloadKey,
      target: this.#journal.targetOf(target),
      cost: failed ? null : times.reduce((sum, each) => sum + each, 0) / times.length,
      timestamp: this.#journal.timeAt(at),
      line,
    };
  }
}

/** What the journal beside a database knows of its records, and they do not say. */
class JournaledNames {
  readonly #targets = new Map<string, string>();
  readonly keys = new Map<number, string>();
  /** By where its records begin in the log, in bytes: when each was measured, in seconds since 1970. */
  readonly #rounds: { readonly from: number; readonly times: number[] }[] = [];
  /** Of the records that are asked for in their order. */
  #round = 0;
  #program = 0;

  static async read(log: string): Promise<JournaledNames> {
    const names = new JournaledNames();
    const lines = linesOf(journalOf(log), ({ code }) => {
      throw code === "ENOENT"
        ? new NoJournal()
        : new InvalidRequestError(`${journalOf(log)} cannot be read (${code}). Expected a journal, or none.`);
    });
    try {
      for await (const { text } of lines) {
        names.#add(text);
      }
    } catch (error) {
      if (!(error instanceof NoJournal)) {
        throw error;
      }
    }
    return names;
  }

  #add(text: string): void {
    const type = /"type":"(database|round-started|measured)"/.exec(text)?.[1];
    const content = type === undefined ? undefined : contentOf(text);
    const named = namesSchema.safeParse(content).data;
    if (named) {
      this.#targets.set(canonical(contentOf(named.spelled)), named.target);
      for (const { number, workloadKey } of named.workloads) {
        this.keys.set(number, workloadKey);
      }
    }
    const round = roundSchema.safeParse(content).data;
    if (round) {
      // An earlier job's, whose log was taken away.
      while ((this.#rounds.at(-1)?.from ?? -1) >= round.logBytes) {
        this.#rounds.pop();
      }
      this.#rounds.push({ from: round.logBytes, times: [] });
    }
    const measured = measuredSchema.safeParse(content).data;
    if (measured) {
      const times = this.#rounds.at(-1)?.times;
      times?.splice(measured.program, times.length, Date.parse(measured.time) / 1000);
    }
  }

  targetOf(spelled: Readonly<Record<string, unknown>> | null): string {
    const known = this.#targets.get(canonical(spelled));
    return known ?? (spelled === null ? "unknown" : inOptions(spelled));
  }

  /** When the record at a byte of the log was measured; null where the journal does not say. To be asked in their order. */
  timeAt(byte: number): number | null {
    while ((this.#rounds[this.#round + 1]?.from ?? Number.POSITIVE_INFINITY) <= byte) {
      this.#round += 1;
      this.#program = 0;
    }
    const round = this.#rounds[this.#round];
    if (!round || byte < round.from) {
      return null;
    }
    this.#program += 1;
    return round.times[this.#program - 1] ?? null;
  }
}

class NoJournal extends Error {}

/** A workload as Python names it (python/familyseer/metaschedule/database.py), as far as a record says what it takes. */
function keyOf(hash: string, args: unknown): string {
  const tensors = argumentsSchema.safeParse(args).data ?? [];
  return spaced([hash, ...tensors.map(([, , shape]) => shape)]);
}

/** JSON as Python writes it. */
function spaced(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(spaced).join(", ")}]` : JSON.stringify(value);
}

/** What is of no use to people, or filled in by TVM. */
const NOT_SAID = new Set(["kind", "tag", "keys", "host"]);
const ARCHITECTURE = { x64: "x86_64", arm64: "aarch64" } as Readonly<Record<string, string>>;

/** A target as users write it, as far as that is known without TVM. */
function inOptions(spelled: Readonly<Record<string, unknown>>): string {
  const options = Object.keys(spelled)
    .filter((name) => !NOT_SAID.has(name) && !isOwnTriple(name, spelled[name]))
    .sort()
    .map((name) => `-${name}=${[spelled[name]].flat().join(",")}`);
  return [String(spelled["kind"]), ...options].join(" ");
}

function isOwnTriple(name: string, value: unknown): boolean {
  return name === "mtriple" && new RegExp(`^${ARCHITECTURE[process.arch]}-.*linux`).test(String(value));
}

/** JSON with the fields of its objects in one order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function contentOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
