import { join, resolve } from "node:path";

/** Every path that follows from that of a log: what a job keeps beside it. */

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

/** Whether a path is that of a log or of its journal. */
export function isReadWith(log: string, path: string): boolean {
  return [log, journalOf(log)].some((read) => resolve(read) === resolve(path));
}

/** In a folder of cost models, that of a family (python/familyseer names it so when it saves it). */
export function modelIn(folder: string, family: string): string {
  return join(folder, `${family.replaceAll(/[^\w.-]/g, "_")}.xgb`);
}

/** In a folder of cost models, the best schedules; folders of runs before there were schedules in them have none. */
export function schedulesIn(folder: string): string {
  return join(folder, "schedules.json");
}
