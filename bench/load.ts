import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { tune } from "../src/index.js";
import { journalEntries } from "../src/records/journal.js";
import { logRecords } from "../src/records/log.js";
import { table } from "../src/report/format.js";
import { scriptedPython } from "../test/helpers/scripted-tuning.js";

/**
 * What the orchestrator bears: 8 jobs side by side in one process, each with its worker process, with 1,000 tasks, 64
 * devices and 200,000 records in all. Programs are made up (test/helpers/scripted-worker.ts): a device waits with each for
 * so long that all take `--minutes` (4; `--full`: 60). Everything else is as in any tuning, with its logs and journals,
 * whose disk may not be as fast: after half as long again the jobs are ended. `--records` makes it smaller.
 */
const JOBS = 8;
const TASKS = 1000 / JOBS;
const DEVICES = 64 / JOBS;
const MIB = 1024 * 1024;
const SAMPLE_MS = 1000;
/** Memory grows until so many of the records are there: code and caches are loaded by then. */
const WARM_UP = 0.2;

const text = { type: "string" } as const;
const { values } = parseArgs({ options: { full: { type: "boolean" }, minutes: text, records: text } });
const RECORDS = Number(values.records ?? 200_000) / JOBS;
const minutes = Number(values.minutes ?? (values.full ? 60 : 4));
const folder = await mkdtemp(join(tmpdir(), "familyseer-bench-"));
const python = await scriptedPython(folder, {
  tasks: TASKS,
  exhausted: null,
  failsEvery: null,
  devices: DEVICES,
  seconds: (minutes * 60 * DEVICES) / RECORDS,
});
// It would contradict the one that jobs are given.
delete process.env["FAMILYSEER_TVM_PYTHON"];

let measured = 0;
const memory: { readonly share: number; readonly resident: number }[] = [];
const sampling = setInterval(() => {
  globalThis.gc?.();
  memory.push({ share: measured / (JOBS * RECORDS), resident: process.memoryUsage.rss() / MIB });
}, SAMPLE_MS * Math.max(1, minutes));
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
const begun = performance.now();
await Promise.all(logs().map(job));
const seconds = (performance.now() - begun) / 1000;
delay.disable();
clearInterval(sampling);

const warm = memory.filter(({ share }) => share >= WARM_UP).map(({ resident }) => resident);
const bytes = await Promise.all(logs().map(async (log) => (await stat(log)).size));
const reading = performance.now();
let [records, rounds] = [0, 0];
for (const log of logs()) {
  for await (const { cost } of logRecords(log)) {
    records += cost === null ? 0 : 1;
  }
}
const readingJournals = performance.now();
for (const log of logs()) {
  for await (const entry of journalEntries(log)) {
    rounds += entry.type === "round-finished" ? 1 : 0;
  }
}
const read = performance.now();
console.log(
  table(
    ["what", "figure"],
    [
      ["records of, rounds, seconds", `${records} of ${JOBS * RECORDS}, ${rounds}, ${seconds.toFixed(0)}`],
      ["records/s", (records / seconds).toFixed(0)],
      [
        "memory after warm-up, at the end, most (MiB)",
        [warm[0], warm.at(-1), Math.max(...warm)].map(rounded).join(", "),
      ],
      [
        "loop's delay: median, 99 %, most (ms)",
        [50, 99, 100].map((p) => rounded(delay.percentile(p) / 1e6)).join(", "),
      ],
      ["logs read back (s, MiB)", `${rounded((readingJournals - reading) / 1000)}, ${rounded(sum(bytes) / MIB)}`],
      ["journals read back (s)", rounded((read - readingJournals) / 1000)],
    ],
  ),
);
await rm(folder, { recursive: true });
process.exit(records === measured ? 0 : 1);

function logs(): string[] {
  return Array.from({ length: JOBS }, (_, index) => join(folder, `${index}.log`));
}

async function job(log: string): Promise<void> {
  const signal = AbortSignal.timeout(1.5 * minutes * 60_000);
  for await (const event of tune({
    model: "scripted",
    trials: RECORDS,
    tvmPython: python,
    log,
    signal,
    library: null,
  })) {
    measured += event.type === "measured" ? 1 : 0;
  }
}

function rounded(value: number | undefined): string {
  return (value ?? Number.NaN).toFixed(1);
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
