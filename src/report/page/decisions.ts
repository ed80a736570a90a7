/** The rounds that a filter lets through, a page of them at a time. */
import type { Decision, PageRun, PageTask } from "../page-data.js";
import { byId, type Column, type Content, choices, fill, make, option, table } from "./elements.js";
import { duration, ms, percent } from "./words.js";

const ROWS = 50;

let page = 0;

export function toFirstPage(): void {
  page = 0;
}

/** So many pages on, or back; showing the decisions keeps to the pages there are. */
export function turnPages(by: number): void {
  page += by;
}

/** Offers the reasons that a run has, to filter by. */
export function showKinds(run: PageRun): void {
  const kinds = [...new Set((run.decisions ?? []).map(({ kind }) => kind))];
  choices("kind", option("", "any"), ...kinds.map((kind) => option(kind, kind.replaceAll("-", " "))));
}

function matching(tasks: readonly PageTask[], { decisions }: PageRun): Decision[] {
  const text = byId<HTMLInputElement>("text").value.trim().toLowerCase();
  const kind = byId<HTMLSelectElement>("kind").value;
  const improved = byId<HTMLInputElement>("improved").checked;
  return (decisions ?? []).filter(
    (decision) =>
      (kind === "" || decision.kind === kind) &&
      (!improved || decision.after !== decision.before) &&
      (text === "" || wordsOf(tasks, decision).toLowerCase().includes(text)),
  );
}

function wordsOf(tasks: readonly PageTask[], { id, task, reason, failed, notes, origins }: Decision): string {
  const { words, family } = tasks[task] ?? {};
  return [`task ${id}`, words, family, reason, failed, ...notes, ...Object.keys(origins)].join(" ");
}

export function showDecisions(tasks: readonly PageTask[], run: PageRun): void {
  const found = matching(tasks, run);
  page = Math.max(0, Math.min(page, Math.ceil(found.length / ROWS) - 1));
  const shown = found.slice(page * ROWS, (page + 1) * ROWS);
  const range = shown.length === 0 ? "None" : `${page * ROWS + 1} to ${page * ROWS + shown.length}`;
  byId("decision-count").textContent =
    run.decisions === null
      ? "Not known: there is no journal."
      : `${range} of ${found.length} rounds (${inAll(run.rounds, run.decisions.length)})`;
  const columns: Column[] = [
    { head: "round", kind: "number" },
    { head: "at", kind: "number" },
    { head: "task", kind: "wide" },
    { head: "why", kind: "wide" },
    { head: "latency (ms)", kind: "number" },
    { head: "programs", kind: "wide" },
    { head: "foreseen order", kind: "number" },
    { head: "took", kind: "number" },
  ];
  const rows = shown.map((decision) => row(tasks, decision));
  fill("decisions", ...(rows.length > 0 ? [table("Decisions", columns, rows)] : []));
  byId<HTMLButtonElement>("previous").disabled = page === 0;
  byId<HTMLButtonElement>("next").disabled = (page + 1) * ROWS >= found.length;
}

/** Of a long tuning's rounds not all are on the page. */
function inAll(rounds: number, kept: number): string {
  const left = rounds - kept;
  return left === 0
    ? `${rounds} in all`
    : `${rounds} in all; ${left} that are neither among the first and last thousand nor improved much are left out`;
}

function row(
  tasks: readonly PageTask[],
  {
    round,
    at,
    id,
    task,
    reason,
    before,
    after,
    programs,
    failed,
    origins,
    accuracy,
    accuracyOf,
    phases,
    notes,
  }: Decision,
): Content[] {
  const byOrigin = Object.entries(origins).map(([name, each]) => `${each.programs} ${name}`);
  const measured = [
    byOrigin.length > 0 ? byOrigin.join(", ") : String(programs),
    ...(failed === "" ? [] : [`failed: ${failed}`]),
  ];
  const improved = after !== before;
  return [
    String(round),
    duration(at),
    `${id}: ${tasks[task]?.words ?? ""}`,
    [reason, ...notes].join("; "),
    improved ? make("span", { class: "gain" }, `${ms(before)} → ${ms(after)}`) : ms(after),
    measured.join("; "),
    accuracy === null ? "-" : `${percent(accuracy)} ${accuracyOf === "round" ? "of the round" : "against earlier"}`,
    duration(phases.search + phases.build + phases.run + phases.learn),
  ];
}
