import { fork } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import chromium from "@sparticuz/chromium";
import { chromium as playwright } from "playwright-core";
import { bestRecords } from "../src/records/best.js";
import { logRecords } from "../src/records/log.js";
import { journalOf, pageOf } from "../src/records/paths.js";
import { readReport, renderPage } from "../src/report/page.js";

/**
 * What a report of a long log costs: seconds and memory to make it, its size, and how soon a browser shows it. The log
 * is written for it, its records as long as TVM's, one round in eight records; its costs scatter as timings do.
 *
 * npm run bench:report -- [records, default 1,000,000] [tasks, default 60]
 */
const [, , records = "1000000", taskCount = "60", role = "all", file = ""] = process.argv;
const PROGRAMS = 8;
const MIB = 1 << 20;

interface Measured {
  readonly seconds: number;
  readonly bytes: number;
}

/** Drawn the same each time (a linear congruential generator; any will do here). */
let drawn = 1;
function draw(): number {
  drawn = (drawn * 1_103_515_245 + 12_345) % 2 ** 31;
  return drawn / 2 ** 31;
}

/** The steps of a tiled, fused, vectorised and parallel loop nest, as TVM writes them down. */
function steps(): unknown[] {
  const split = (stage: number, axis: number) => ["SP", stage, axis, 56, [1, 2 ** Math.floor(draw() * 4), 1], 1];
  return [
    ["CI", 5],
    ...Array.from({ length: 12 }, (_, step) => split(3, 4 * (step % 6))),
    ["RE", 3, [0, 4, 8, 12, 1, 5, 9, 13, 16, 18, 20, 2, 6, 10, 14, 17, 19, 21, 3, 7, 11, 15]],
    ["FSP", 6, 0, 1, 1],
    ["FSP", 6, 3, 2, 1],
    ["RE", 6, [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]],
    ["CA", 3, 6, 7],
    ["FU", 6, [0, 1, 2, 3, 4]],
    ["AN", 6, 0, 3],
    ["PR", 3, 0, `auto_unroll_max_step$${2 ** Math.floor(draw() * 10)}`],
    ["AN", 3, 21, 2],
    ["AN", 6, 6, 2],
  ];
}

async function writeLongLog(log: string): Promise<void> {
  const tasks = Array.from({ length: Number(taskCount) }, (_, task) => ({
    workloadKey: `["${String(task).padStart(32, "0")}", [1, 56, 56, 64], [3, 3, 64, ${task}], [1, 1, 1, ${task}], [1, 56, 56, ${task}]]`,
    words: `conv2d 3x3 56x56x64 -> ${task}`,
    family: `nn.family${task % 5}`,
    weight: 1 + (task % 4),
    flops: 1e8,
  }));
  const best = tasks.map((): number | null => null);
  const begun = Date.UTC(2026, 0) / 1000;
  const target = "llvm -keys=cpu -mcpu=core-avx2 -num-cores=2";
  const moment = (round: number) => new Date((begun + round * 20) * 1000).toISOString();
  const rounds = Math.ceil(Number(records) / PROGRAMS);
  const journal = createWriteStream(journalOf(log));
  journal.write(`${JSON.stringify({ time: moment(0), type: "started", target, options: { model: "made" }, tasks })}\n`);
  function* lines(): Generator<string> {
    for (let index = 0; index < rounds; index += 1) {
      const task = index % tasks.length;
      const before = best[task] ?? null;
      const costs = Array.from(
        { length: PROGRAMS },
        () => 1e-4 * (1 + task) * (1 + 3 * draw() ** 3 + 30 / (1 + index)),
      );
      const after = Math.min(before ?? 1, ...costs);
      best[task] = after;
      const round = { index, task, programs: PROGRAMS, reason: { type: "steepest", gradient: -draw() } };
      journal.write(
        `${JSON.stringify({
          time: moment(index + 1),
          type: "round-finished",
          round,
          outcome: { before, after, died: null },
          costs,
          failures: {},
          origins: { descent: { programs: PROGRAMS, best: Math.min(...costs) } },
          accuracy: draw(),
          devices: { local: { programs: PROGRAMS, failures: 0, seconds: 5 } },
          notices: [],
          seconds: { propose: 8, measure: 10, learn: 2 },
        })}\n`,
      );
      const key = [tasks[task]?.workloadKey, target, [2, 64, 64, 0, 0, 0, 0, 0], "", 2, []];
      const timestamp = begun + index * 20 + 10;
      yield costs
        .map((cost) => `${JSON.stringify({ i: [key, [[], steps()]], r: [[cost], 0, 0.3, timestamp], v: "v0.6" })}\n`)
        .join("");
    }
  }
  await pipeline(lines, createWriteStream(log));
  journal.end();
  await once(journal, "close");
}

/** Does one thing in a process of its own, so that its memory is its own. */
async function alone(what: string, log: string): Promise<Measured> {
  const child = fork(fileURLToPath(import.meta.url), [records, taskCount, what, log]);
  const [measured] = await once(child, "message");
  await once(child, "exit");
  return measured as Measured;
}

async function measured(work: () => Promise<void>): Promise<void> {
  const begun = performance.now();
  await work();
  const seconds = (performance.now() - begun) / 1000;
  process.send?.({ seconds, bytes: process.resourceUsage().maxRSS * 1024 } satisfies Measured);
}

async function loadSeconds(page: string): Promise<number> {
  const browser = await playwright.launch({ executablePath: await chromium.executablePath(), args: ["--no-sandbox"] });
  const tab = await browser.newPage();
  const begun = performance.now();
  await tab.goto(String(pathToFileURL(page)));
  await tab.getByRole("table", { name: "Decisions" }).waitFor();
  const seconds = (performance.now() - begun) / 1000;
  await browser.close();
  return seconds;
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "familyseer-bench-"));
  const log = join(folder, "long.log");
  try {
    await writeLongLog(log);
    const { size } = await stat(log);
    console.log(`${records} records of ${taskCount} tasks: ${(size / MIB).toFixed(0)} MiB`);
    for (const what of ["report", "best"]) {
      const { seconds, bytes } = await alone(what, log);
      console.log(`${what}: ${seconds.toFixed(1)} s, at most ${(bytes / MIB).toFixed(0)} MiB of memory`);
    }
    const page = await stat(pageOf(log));
    console.log(`page: ${(page.size / MIB).toFixed(2)} MiB, shown in ${(await loadSeconds(pageOf(log))).toFixed(2)} s`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

switch (role) {
  case "report":
    await measured(async () => writeFile(`${file}.html`, (await renderPage(await readReport([file]))).html));
    break;
  case "best":
    await measured(async () => {
      await bestRecords(logRecords(file));
    });
    break;
  default:
    await main();
}
