/** What a run's rounds add up to: by what found the programs, and by the device that timed them. */
import type { PageRun } from "../page-data.js";
import { fill, table } from "./elements.js";
import { percent } from "./words.js";

export function showOrigins({ origins }: PageRun): void {
  showTotals(
    "origins",
    "Where programs came from",
    ["origin", "programs", "rounds it was in", "of these its program became the task's best", "share"],
    origins.map(({ name, programs, rounds, improved }) => [
      name,
      String(programs),
      String(rounds),
      String(improved),
      percent(improved / rounds),
    ]),
    "Not recorded: evolution alone was at work, or there is no journal.",
  );
}

export function showDevices({ devices }: PageRun): void {
  showTotals(
    "devices",
    "Devices",
    ["device", "programs", "failed", "timing (s)"],
    devices.map(({ name, programs, failures, seconds }) => [
      name,
      String(programs),
      String(failures),
      seconds.toFixed(1),
    ]),
    "Not known: there is no journal.",
  );
}

/** Rows of a name and numbers, or why there are none. */
function showTotals(
  id: string,
  caption: string,
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  without: string,
): void {
  const columns = heads.map((head, at) => ({ head, ...(at > 0 ? { kind: "number" as const } : {}) }));
  fill(id, rows.length === 0 ? without : table(caption, columns, rows));
}
