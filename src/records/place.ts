import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { InvalidRequestError } from "../errors.js";
import { type TunerName, tunerWords } from "../tuner-name.js";
import { isDatabase, logIn, namedAs, workloadsOf } from "./paths.js";

/**
 * The file of records that a user means, who may name the folder of a database in its place.
 *
 * @throws InvalidRequestError for a folder without a database.
 */
export async function logAt(path: string): Promise<string> {
  if (!(await isFolder(path))) {
    return path;
  }
  const log = logIn(path);
  const missing = [];
  for (const file of [log, workloadsOf(log)]) {
    if (!(await stat(file).catch(() => null))) {
      missing.push(basename(file));
    }
  }
  if (missing.length > 0) {
    throw new InvalidRequestError(
      `The folder ${path} has no ${missing.join(" and no ")}. Expected a log, or the folder of a database that a tuning with ` +
        "MetaSchedule wrote: both are in it.",
    );
  }
  return log;
}

/** As {@link logAt}, of a log that a job is to write; null where the path leaves open whether it is a folder. */
export async function newLogAt(path: string): Promise<string | null> {
  if (path.endsWith("/") || (await isFolder(path))) {
    return logIn(path);
  }
  return isDatabase(path) || (await stat(path).catch(() => null)) ? path : null;
}

/** The file of records of a new log that a tuner is to write. */
export function newLogOf(tuner: string, path: string): string {
  return tuner === "metaschedule" && !isDatabase(path) ? logIn(path) : path;
}

/** The tuner that a log is of, as far as its path says. */
export function tunerOf(log: string): TunerName | undefined {
  return isDatabase(log) ? "metaschedule" : undefined;
}

/**
 * Checks that a log is of the kind that a tuner writes.
 *
 * @throws InvalidRequestError
 */
export function requireLogOf(tuner: string, log: string): void {
  if (tuner === "metaschedule" && !isDatabase(log)) {
    throw new InvalidRequestError(
      `The log ${log} is a file of another tuner's records. MetaSchedule has them in a database: expected a folder, new or with ` +
        "one, or a Python with the tuner that wrote the log (--tuner ansor).",
    );
  }
  if (tuner !== "metaschedule" && isDatabase(log)) {
    throw new InvalidRequestError(
      `The log ${namedAs(log)} is a folder, as databases of MetaSchedule's are. ${tunerWords(tuner)} has its records in one ` +
        "file: expected that, new or of a tuning before, or a Python with MetaSchedule (--tuner metaschedule).",
    );
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() ?? false;
}
