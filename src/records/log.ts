import { access, appendFile, constants, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { UNMEASURED_COST } from "../core/task.js";
import { InvalidRequestError } from "../errors.js";
import { type Line, linesOf } from "./lines.js";
import { SkippedLines, type Unusable } from "./skipped.js";

/** One line of TVM's log: a program, what it cost, and on what. */
export interface LogRecord {
  readonly workloadKey: string;
  readonly target: string;
  /** Mean cost in seconds; null for a program that failed. */
  readonly cost: number | null;
  /** When it was measured, in whole seconds since 1970; null where the record does not say. */
  readonly timestamp: number | null;
  /** The line as it stands in the file. */
  readonly line: string;
}

/** TVM's record format, as far as it is read here (src/auto_scheduler/measure_record.cc). */
const recordSchema = z.object({
  i: z.tuple([z.tuple([z.string(), z.string()]).rest(z.unknown()), z.unknown()]),
  r: z.tuple([z.array(z.number()), z.number()]).rest(z.unknown()),
  v: z.string(),
});

/** The versions of the format up to TVM 0.18's. */
const VERSIONS = /^v0\.[1-6]$/;

/** A line of a log as a record, or why it is none that can be used. */
export function parseRecord(line: string): LogRecord | Unusable {
  const parsed = recordSchema.safeParse(contentOf(line));
  if (!parsed.success) {
    return { reason: "no-record", of: null };
  }
  if (!VERSIONS.test(parsed.data.v)) {
    return { reason: "record-version", of: parsed.data.v.slice(0, 20) };
  }
  const [[workloadKey, target]] = parsed.data.i;
  const [costs, error, , timestamp] = parsed.data.r;
  if (error === 0 && !(costs.length > 0 && costs.every((cost) => cost > 0 && cost < UNMEASURED_COST))) {
    return { reason: "impossible-time", of: null };
  }
  const cost = error === 0 ? costs.reduce((sum, each) => sum + each, 0) / costs.length : null;
  return { workloadKey, target, cost, timestamp: typeof timestamp === "number" ? timestamp : null, line };
}

function contentOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/**
 * The records of a log, one after another, so that a log of any length can be read. Lines that are no records, or none
 * that can be used, are left out and added to `skipped`.
 *
 * @throws InvalidRequestError if the file cannot be read, or there are lines in it, but not one record.
 */
export async function* logRecords(
  path: string,
  skipped: SkippedLines = new SkippedLines(),
): AsyncGenerator<LogRecord, void, void> {
  let any = false;
  let first: Line | null = null;
  for await (const line of linesOf(path, refuseToRead(path))) {
    if (line.text.trim() === "") {
      continue;
    }
    const record = parseRecord(line.text);
    if ("reason" in record) {
      first ??= line;
      skipped.add(record, line.number);
    } else {
      any = true;
      yield record;
    }
  }
  if (first && !any) {
    throw new InvalidRequestError(
      `Line ${first.number} of ${path} is not a record of TVM's auto_scheduler that can be used, nor is any other: ` +
        `${first.text.slice(0, 60)}. Expected a log that a tuning wrote.`,
    );
  }
}

/** All records of a log, as {@link logRecords} gives them. */
export async function readLog(path: string, skipped?: SkippedLines): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const record of logRecords(path, skipped)) {
    records.push(record);
  }
  return records;
}

function refuseToRead(path: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    throw new InvalidRequestError(`The log ${path} cannot be read (${error.code}). Expected a file a tuning wrote.`);
  };
}

/**
 * Checks that records can be appended to a path, without writing anything.
 *
 * @throws InvalidRequestError if it is a folder, in none, not writable, or a file of something else.
 */
export async function checkAppendable(path: string): Promise<void> {
  const folder = await stat(dirname(resolve(path))).catch(() => null);
  if (!folder?.isDirectory()) {
    throw new InvalidRequestError(`The log ${path} cannot be written: there is no folder ${dirname(resolve(path))}.`);
  }
  const existing = await stat(path).catch(() => null);
  if (existing && !existing.isFile()) {
    throw new InvalidRequestError(
      `The log ${path} is not a file. Expected the path of a log, new or of a tuning before.`,
    );
  }
  if (existing) {
    await requireLog(path);
    await appendFile(path, "").catch(refuse(path));
  } else {
    await access(dirname(resolve(path)), constants.W_OK).catch(refuse(path));
  }
}

/**
 * Checks that a file has a record, or nothing at all.
 *
 * @throws InvalidRequestError
 */
export async function requireLog(path: string): Promise<void> {
  const records = logRecords(path);
  try {
    await records.next();
  } finally {
    await records.return();
  }
}

function refuse(path: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    throw new InvalidRequestError(`The log ${path} cannot be written (${error.code}). Choose a path you may write to.`);
  };
}
