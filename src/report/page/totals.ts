/** What a run's rounds add up to: by what found the programs, and by the device that timed them. */
import type { PageRun } from "../page-data.js";
import { fill, table } from "./elements.js";
import { percent } from "./words.js";

export function showOrigins({ origins }: PageRun): void {
  const heads = ["origin", "programs", "rounds it was in", "of these its program became the task's best", "share"];
  fill(
    "origins",
    origins.length === 0
      ? "Not recorded: evolution alone was at work, or there is no journal."
      : table(
          "Where programs came from",
          heads.map((head, at) => ({ head, ...(at > 0 ? { kind: "number" as const } : {}) })),
          origins.map(({ name, programs, rounds, improved }) => [
            name,
            String(programs),
            String(rounds),
            String(improved),
            percent(improved / rounds),
          ]),
        ),
  );
}

export function showDevices({ devices }: PageRun): void {
  const columns = ["device", "programs", "failed", "timing (s)"];
  fill(
    "devices",
    devices.length === 0
      ? "Not known: there is no journal."
      : table(
          "Devices",
          columns.map((head, at) => ({ head, ...(at > 0 ? { kind: "number" as const } : {}) })),
          devices.map(({ name, programs, failures, seconds }) => [
            name,
            String(programs),
            String(failures),
            seconds.toFixed(1),
          ]),
        ),
  );
}
