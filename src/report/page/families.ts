/** The tasks, and their families as tiles. */
import type { PageData, PageTask } from "../page-data.js";
import { paint } from "./colours.js";
import { type Column, fill, make, table } from "./elements.js";
import { isChosen } from "./latency.js";
import { ms, percent, programs } from "./words.js";

export function showTasks({ runs, tasks }: PageData): void {
  const columns: Column[] = [
    { head: "task", kind: "wide" },
    ...runs.flatMap(({ name }) => {
      const of = runs.length > 1 ? `, ${name}` : "";
      return [
        { head: `latency (ms)${of}`, kind: "number" as const },
        { head: `programs${of}`, kind: "number" as const },
      ];
    }),
    { head: "weight", kind: "number" },
    { head: "family" },
  ];
  const rows = tasks.map(({ title, family, weight, results }) => [
    title,
    ...results.flatMap((result) => [ms(result?.best), programs(result?.trials ?? 0, result?.failures ?? 0)]),
    weight === null ? "-" : String(weight),
    family ?? "-",
  ]);
  fill("tasks", table("Tasks", columns, rows));
}

function families(tasks: readonly PageTask[]): Map<string, number[]> {
  const members = new Map<string, number[]>();
  for (const [task, { family }] of tasks.entries()) {
    const name = family ?? "no family known";
    members.set(name, [...(members.get(name) ?? []), task]);
  }
  return members;
}

/** Latency in the network that a run reached for a task, in seconds; 0 where no program ran. */
function reachedIn(tasks: readonly PageTask[], run: number, task: number): number {
  const { weight, results } = tasks[task] ?? {};
  return (results?.[run]?.best ?? 0) * (weight ?? 1);
}

/** A tile stays while nothing of it changes, so it calls back when it is chosen: by then a running job may have told more. */
export function showFamilies(data: PageData, run: number, choose: (task: number) => void): void {
  const { tasks } = data;
  const total = tasks.reduce((sum, _, task) => sum + reachedIn(tasks, run, task), 0) || 1;
  const focused = document.activeElement?.id ?? "";
  fill(
    "families",
    ...[...families(tasks)].map(([name, members], index) => {
      const share = members.reduce((sum, task) => sum + reachedIn(tasks, run, task), 0) / total;
      const about = `${members.length} ${members.length === 1 ? "task" : "tasks"}, ${percent(share)} of the latency`;
      const made = make(
        "div",
        { class: "family" },
        make("h3", {}, `${name} `, make("span", {}, about)),
        make("ul", { class: "tiles" }, ...members.map((task) => tile(data, run, task, total, choose))),
      );
      paint(made, index);
      return made;
    }),
  );
  if (focused.startsWith("tile-")) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

function tile(
  { tasks, selections }: PageData,
  run: number,
  task: number,
  total: number,
  choose: (task: number) => void,
): HTMLElement {
  const selection = selections.find((each) => each.group === "task" && each.tasks[0] === task);
  const curve = selection?.curves[run] ?? [];
  const [first, last] = [curve[0]?.[2], curve.at(-1)?.[2]];
  const fallen = first && last ? 1 - last / first : 0;
  const share = reachedIn(tasks, run, task) / total;
  const words =
    last === undefined ? "no program ran" : `${ms(last)} ms, ${percent(share)}, ${percent(fallen)} below its first`;
  const button = make(
    "button",
    { type: "button", id: `tile-${task}`, "aria-pressed": String(isChosen(selections, `tile-${task}`)) },
    make("strong", {}, tasks[task]?.title ?? ""),
    words,
  );
  button.style.setProperty("--depth", `${Math.round(8 + 26 * fallen)}%`);
  button.addEventListener("click", () => choose(task));
  const item = make("li", {}, button);
  item.style.setProperty("--share", String(Math.max(1, Math.round(share * 1000))));
  return item;
}
