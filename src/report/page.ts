import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { namedAs } from "../records/paths.js";
import { compareRuns } from "./comparison.js";
import type { PageData } from "./page-data.js";
import { readRuns } from "./read-runs.js";

/** The charting library in one file that defines a global `Chart`. */
const CHARTS = new URL("chart.umd.min.js", import.meta.resolve("chart.js"));

/** Reads logs, with the journals beside them, into what one page shows. */
export async function readReport(logs: readonly string[]): Promise<PageData> {
  const distinct = new Map(logs.map((log) => [resolve(namedAs(log)), log] as const));
  const runs = [];
  for (const [name, log] of distinct) {
    runs.push(...(await readRuns(log, shortName(name, [...distinct.keys()]))));
  }
  return compareRuns(runs);
}

/** The file's name, with as many of its folders as it takes to tell it from the others. */
function shortName(log: string, logs: readonly string[]): string {
  const others = logs.filter((other) => other !== log);
  const lengths = log.split("/").map((_, index) => index + 1);
  const length = lengths.find((each) => others.every((other) => endOf(other, each) !== endOf(log, each)));
  return length === undefined ? log : endOf(log, length);
}

function endOf(path: string, parts: number): string {
  return path.split("/").slice(-parts).join("/");
}

/** A page, and its content security policy, which it holds itself, too. */
export interface RenderedPage {
  readonly html: string;
  readonly policy: string;
}

/**
 * One HTML page with everything in it. Its content security policy lets no script run but its own two and nothing be
 * fetched, so what a log holds can do no harm, and it works offline. A running job's page may ask its own server.
 */
export async function renderPage(data: PageData): Promise<RenderedPage> {
  const [page, style, program, charts] = await Promise.all([
    asset("page.html"),
    asset("page.css"),
    asset("browser.js"),
    readFile(CHARTS, "utf8").then(withoutSourceMap),
  ]);
  const policy = [
    "default-src 'none'",
    "img-src data:",
    `style-src ${digest(style)}`,
    `script-src ${digest(charts)} ${digest(program)}`,
    "base-uri 'none'",
    "form-action 'none'",
    ...(data.live ? ["connect-src 'self'"] : []),
  ].join("; ");
  const filled: Record<string, string> = {
    policy,
    style,
    charts,
    program,
    title: data.title.replaceAll("&", "&amp;").replaceAll("<", "&lt;"),
    // In a script element only "<" can end or nest anything; JSON may spell it otherwise.
    data: JSON.stringify(data).replaceAll("<", "\\u003c"),
  };
  return { html: page.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => filled[name] ?? ""), policy };
}

async function asset(name: string): Promise<string> {
  return withoutSourceMap(await readFile(new URL(`page/${name}`, import.meta.url), "utf8"));
}

function withoutSourceMap(script: string): string {
  return script.replace(/\n\/\/# sourceMappingURL=.*\n?$/, "\n");
}

function digest(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
