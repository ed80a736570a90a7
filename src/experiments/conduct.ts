import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CancelledError } from "../errors.js";
import { TVM_VERSION } from "../worker/installation.js";
import type { Conclusion, Experiment, Results, Run, Settings } from "./experiment.js";

const RESULT = "result.json";

/** What a conductor says while it works. */
export type Say = (line: string) => void;

/**
 * Does the runs of an experiment that are not done yet, each in a folder of its own in `runs`, and concludes.
 *
 * @throws CancelledError if `signal` ended it; the runs that are finished are kept, the one in progress is not.
 */
export async function conduct(
  experiment: Experiment,
  settings: Settings,
  runs: string,
  signal: AbortSignal,
  say: Say,
): Promise<Conclusion> {
  const plan = await experiment.plan(settings);
  const results = new Map<string, unknown>();
  const missing: Run[] = [];
  for (const run of distinct(plan.runs)) {
    const result = await resultIn(join(runs, folderOf(run)), run);
    if (result === undefined) {
      missing.push(run);
    } else {
      results.set(folderOf(run), result);
    }
  }
  if (plan.runs.length > 0) {
    const done = results.size === 0 ? "" : `${results.size} runs are done; `;
    say(`${experiment.title}: ${done}${missing.length} to do, about ${duration(secondsOf(missing))}`);
  }
  for (const [index, run] of missing.entries()) {
    stopIf(signal);
    const left = duration(secondsOf(missing.slice(index)));
    say(`  ${index + 1} of ${missing.length}: ${run.name} (${folderOf(run)}); about ${left} left`);
    results.set(folderOf(run), await perform(run, join(runs, folderOf(run)), signal));
    stopIf(signal);
  }
  return plan.conclude((<R>(run: Run<R>) => results.get(folderOf(run)) as R) satisfies Results);
}

/** Its name, and what tells it from others of that name. */
export function folderOf({ name, identity }: Run): string {
  const digest = createHash("sha256")
    .update(JSON.stringify({ tvm: TVM_VERSION, ...identity }))
    .digest("hex");
  return `${name.replaceAll(/[^\w.]+/g, "-")}-${digest.slice(0, 8)}`;
}

function distinct(runs: readonly Run[]): Run[] {
  return [...new Map(runs.map((run) => [folderOf(run), run])).values()];
}

function secondsOf(runs: readonly Run[]): number {
  return runs.reduce((sum, run) => sum + run.seconds, 0);
}

/** A run of another version of this package, whose result had other fields, is done again. */
async function resultIn<R>(folder: string, run: Run<R>): Promise<R | undefined> {
  const text = await readFile(join(folder, RESULT), "utf8").catch(() => null);
  return text === null ? undefined : run.result.safeParse(JSON.parse(text)).data;
}

async function perform<R>(run: Run<R>, folder: string, signal: AbortSignal): Promise<R> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "run.json"), JSON.stringify({ name: run.name, ...run.identity }, null, 2));
  const result = await run.perform(folder, signal);
  if (!signal.aborted) {
    // Whole or not at all: that it is there says that the run is finished.
    const part = join(folder, `${RESULT}.part`);
    await writeFile(part, JSON.stringify(result));
    await rename(part, join(folder, RESULT));
  }
  return result;
}

function stopIf(signal: AbortSignal): void {
  if (signal.aborted) {
    throw new CancelledError("The experiment was ended.");
  }
}

/** For people. */
export function duration(seconds: number): string {
  if (seconds < 90) {
    return `${Math.ceil(seconds)} s`;
  }
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
