import { basename, dirname, join, resolve } from "node:path";

/** Every path that follows from that of a log: what a job keeps beside it. */

/** The files of a database of MetaSchedule's (TVM: s_tir/meta_schedule/database/json_database.py). */
const RECORDS = "database_tuning_record.json";
const WORKLOADS = "database_workload.json";

/** Whether a log is the file of records of a database, so that its lines name workloads in the file beside it. */
export function isDatabase(log: string): boolean {
  return basename(log) === RECORDS;
}

/** The log in the folder of a database. */
export function logIn(database: string): string {
  return join(database, RECORDS);
}

/** The workloads that a database's records are of. */
export function workloadsOf(log: string): string {
  return join(dirname(log), WORKLOADS);
}

/** What users call a log: of a database its folder. */
export function namedAs(log: string): string {
  return isDatabase(log) ? dirname(log) : log;
}

/** Every decision of its jobs, with why. */
export function journalOf(log: string): string {
  return `${log}.journal.jsonl`;
}

/** The lock of the job that writes to it. */
export function lockOf(log: string): string {
  return `${log}.lock`;
}

/** The folder of the cost models and the best schedules of its last job. */
export function modelsOf(log: string): string {
  return `${log}.models`;
}

/** The page of a report. */
export function pageOf(log: string): string {
  return `${log}.html`;
}

/** Where what was written to a log or a journal is kept, if another file took its place. */
export function keptOf(path: string): string {
  return `${path}.kept`;
}

/** Whether a path is that of a log, of its journal or of a database's workloads. */
export function isReadWith(log: string, path: string): boolean {
  const workloads = isDatabase(log) ? [workloadsOf(log)] : [];
  return [log, journalOf(log), ...workloads].some((read) => resolve(read) === resolve(path));
}

/** In a folder of cost models, that of a family (python/familyseer names it so when it saves it). */
export function modelIn(folder: string, family: string): string {
  return join(folder, `${family.replaceAll(/[^\w.-]/g, "_")}.xgb`);
}

/** In a folder of cost models, the best schedules; folders of runs before there were schedules in them have none. */
export function schedulesIn(folder: string): string {
  return join(folder, "schedules.json");
}
