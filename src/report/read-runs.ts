import { InvalidRequestError } from "../errors.js";
import { journalEntries } from "../records/journal.js";
import { logRecords } from "../records/log.js";
import { tunerOf } from "../records/place.js";
import { describeSkipped, SkippedLines } from "../records/skipped.js";
import { isSimulated } from "../target.js";
import type { Run } from "./run.js";
import { RunsSoFar } from "./run-so-far.js";

/**
 * Reads a log and the journal beside it: a run for each target in the log.
 *
 * @throws InvalidRequestError if the log cannot be read, is none or is empty, or the journal is none.
 */
export async function readRuns(log: string, name: string): Promise<Run[]> {
  const { measured, notices } = await readRunsSoFar(log);
  if (measured.length === 0) {
    throw new InvalidRequestError(
      `The log ${log} holds no record. Expected a file in which a tuning has recorded programs.`,
    );
  }
  return measured.map((run) => {
    const parts = [measured.length > 1 && run.target, isSimulated(run.target) && "simulated"];
    return run.named([name, ...parts.filter(Boolean)].join(", "), notices);
  });
}

/**
 * As {@link readRuns}, for more to be added.
 *
 * @throws InvalidRequestError if the log cannot be read or is none, or the journal is none.
 */
export async function readRunsSoFar(log: string): Promise<RunsSoFar> {
  const runs = new RunsSoFar(tunerOf(log));
  for await (const entry of journalEntries(log)) {
    runs.addEntry(entry);
  }
  const skipped = new SkippedLines();
  for await (const record of logRecords(log, skipped)) {
    runs.addRecord(record);
  }
  runs.notices = describeSkipped(log, skipped.all);
  return runs;
}
