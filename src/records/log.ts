import { access, appendFile, constants, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { UNMEASURED_COST } from "../core/task.js";
import { InvalidRequestError } from "../errors.js";
import { DatabaseReader } from "./database.js";
import { type Line, linesOf } from "./lines.js";
import { isDatabase } from "./paths.js";
import { logAt } from "./place.js";
import type { LogRecord } from "./record.js";
import { SkippedLines, type Unusable } from "./skipped.js";

/** TVM's record format, as far as it is read here (src/auto_scheduler/measure_record.cc). */
const recordSchema = z.object({
  i: z.tuple([z.tuple([z.string(), z.string()]).rest(z.unknown()), z.unknown()]),
  r: z.tuple([z.array(z.number()), z.number()]).rest(z.unknown()),
  v: z.string(),
});

/** The versions of the format up to TVM 0.18's. */
const VERSIONS = /^v0\.[1-6]$/;

/** A line of the auto-scheduler's log as a record, or why it is none that can be used. */
function parseRecord(line: string): LogRecord | Unusable {
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
 * The records of a log, one after another, so that a log of any length can be read; also of a database, which may be named by
 * its folder. Lines that are no records, or none that can be used, are left out and added to `skipped`.
 *
 * @throws InvalidRequestError if the file cannot be read, or there are lines in it, but not one record.
 */
export async function* logRecords(
  path: string,
  skipped: SkippedLines = new SkippedLines(),
): AsyncGenerator<LogRecord, void, void> {
  const log = await logAt(path);
  const database = isDatabase(log) ? await DatabaseReader.open(log) : null;
  let any = false;
  let first: Line | null = null;
  for await (const line of linesOf(log, refuseToRead(log))) {
    const record = database ? database.record(line.text) : parseRecord(line.text);
    if (line.text.trim() === "") {
      continue;
    }
    if ("reason" in record) {
      first ??= line;
      skipped.add(record, line.number);
    } else {
      any = true;
      yield record;
    }
  }
  if (first && !any) {
    const [expected, other] = database ? ["MetaSchedule's database", ANSORS] : ["TVM's auto_scheduler", DATABASES];
    throw new InvalidRequestError(
      `Line ${first.number} of ${log} is not a record of ${expected} that can be used, nor is any other: ` +
        `${first.text.slice(0, 60)}. ${other.begins.test(first.text) ? other.hint : "Expected a log that a tuning wrote."}`,
    );
  }
}

/** What a line of the other tuner's is known by, and what to do with it. */
const ANSORS = {
  begins: /^\s*\{"i"/,
  hint: "It is one of TVM's auto_scheduler: expected it in a file of another name.",
} as const;
const DATABASES = {
  begins: /^\s*\[\d+,\[/,
  hint: "It is one of a database of MetaSchedule's: expected the folder of that, with its database_workload.json.",
} as const;

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
 * Checks that records can be appended to a log, without writing anything. The folder of a database may not be there yet.
 *
 * @throws InvalidRequestError if it is a folder, in none, not writable, or a file of something else.
 */
export async function checkAppendable(log: string): Promise<void> {
  const path = isDatabase(log) && !(await stat(dirname(log)).catch(() => null)) ? dirname(log) : log;
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
