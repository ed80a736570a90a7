import { appendFile, type FileHandle, open, readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { InvalidRequestError } from "../errors.js";
import { linesOf } from "./lines.js";

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

/** @throws InvalidRequestError for a line that is not a record. */
export function parseRecord(line: string, where: string): LogRecord {
  let content: unknown;
  try {
    content = JSON.parse(line);
  } catch {
    content = undefined;
  }
  const parsed = recordSchema.safeParse(content);
  if (!parsed.success) {
    throw new InvalidRequestError(
      `${where} is not a record of TVM's auto_scheduler: ${line.slice(0, 60)}. Expected a log that a tuning wrote.`,
    );
  }
  const [[workloadKey, target]] = parsed.data.i;
  const [costs, error, , timestamp] = parsed.data.r;
  const cost = error === 0 && costs.length > 0 ? costs.reduce((sum, each) => sum + each, 0) / costs.length : null;
  return { workloadKey, target, cost, timestamp: typeof timestamp === "number" ? timestamp : null, line };
}

/**
 * The records of a log, one after another, so that a log of any length can be read. A last line that was cut short (the
 * writer was killed) is left out; a broken one before it is an error.
 *
 * @throws InvalidRequestError if the file cannot be read or is not a log.
 */
export async function* logRecords(path: string): AsyncGenerator<LogRecord, void, void> {
  let any = false;
  for await (const { text, number, whole } of linesOf(path, refuseToRead(path))) {
    const record = text.trim() === "" ? null : recordUnlessTorn(text, `Line ${number} of ${path}`, any && !whole);
    if (record) {
      any = true;
      yield record;
    }
  }
}

/** All records of a log, as {@link logRecords} gives them. */
export async function readLog(path: string): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const record of logRecords(path)) {
    records.push(record);
  }
  return records;
}

function recordUnlessTorn(line: string, where: string, mayBeTorn: boolean): LogRecord | null {
  try {
    return parseRecord(line, where);
  } catch (error) {
    if (mayBeTorn) {
      return null;
    }
    throw error;
  }
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
    await readLog(path);
    await appendFile(path, "").catch(refuse(path));
  } else {
    const { access, constants } = await import("node:fs/promises");
    await access(dirname(resolve(path)), constants.W_OK).catch(refuse(path));
  }
}

function refuse(path: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    throw new InvalidRequestError(`The log ${path} cannot be written (${error.code}). Choose a path you may write to.`);
  };
}

/** A file of lines that only grows; a line is on the disk when `append` returns. It is made with its first line. */
export class AppendOnlyFile {
  #file: FileHandle | null = null;

  constructor(readonly path: string) {}

  async append(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) {
      return;
    }
    this.#file ??= await this.#open();
    await this.#file.appendFile(`${lines.join("\n")}\n`);
    await this.#file.datasync();
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
  }

  /** A line that a kill cut short is dropped, so that the next one starts whole. */
  async #open(): Promise<FileHandle> {
    const text = await readFile(this.path, "utf8").catch(() => "");
    const file = await open(this.path, "a");
    if (text !== "" && !text.endsWith("\n")) {
      await file.truncate(Buffer.byteLength(text.slice(0, text.lastIndexOf("\n") + 1)));
    }
    return file;
  }
}
