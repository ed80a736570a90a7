/** The latency of the network, a family or a task against time or programs. */
import type { PageData, PageRun, Point, Selection } from "../page-data.js";
import { axisStyle, draw } from "./charts.js";
import { colour, themed } from "./colours.js";
import { byId, choices, fill, make, option, table } from "./elements.js";
import { duration, ms } from "./words.js";

const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const MARKS = 12;

/** Offers what the latency can be of. */
export function showSelections(selections: readonly Selection[]): void {
  const groups = [
    ["network", "Network"],
    ["family", "Families"],
    ["task", "Tasks"],
  ] as const;
  choices(
    "selection",
    ...groups.map(([group, label]) => {
      const members = selections.filter((each) => each.group === group);
      return make("optgroup", { label }, ...members.map((each) => option(keyOf(each), each.label)));
    }),
  );
}

function chosenSelection(selections: readonly Selection[]): Selection | undefined {
  const { value } = byId<HTMLSelectElement>("selection");
  return selections.find((selection) => keyOf(selection) === value);
}

/** Stays the same while a job runs and selections are added. */
function keyOf({ group, label, tasks: [task] }: Selection): string {
  return { network: group, family: `${group} ${label}`, task: `${group} ${task}` }[group];
}

/** 0: time, 1: programs measured; the place in a {@link Point}. */
function chosenAxis(): 0 | 1 {
  return document.querySelector<HTMLInputElement>("input[name=axis]:checked")?.value === "1" ? 1 : 0;
}

/** A run's curve with its last latency held until the run's end. */
function held(runs: readonly PageRun[], selection: Selection, run: number): Point[] {
  const curve = selection.curves[run] ?? [];
  const last = curve.at(-1);
  const { seconds = 0, trials = 0 } = runs[run] ?? {};
  return last ? [...curve, [Math.max(seconds, last[0]), Math.max(trials, last[1]), last[2]]] : [];
}

export function showLatency({ runs, selections }: PageData): void {
  const selection = chosenSelection(selections);
  if (!selection) {
    return;
  }
  const axis = chosenAxis();
  const logarithmic = byId<HTMLInputElement>("logarithmic").checked;
  const axisWords = axis === 0 ? "seconds of tuning" : "programs measured";
  draw("latency-chart", {
    type: "line",
    data: {
      datasets: runs.map((run, index) => ({
        label: run.name,
        data: held(runs, selection, index).map((point) => ({ x: point[axis], y: point[2] * 1000 })),
        stepped: true,
        borderColor: colour(index),
        backgroundColor: colour(index),
        borderDash: DASHES[index % DASHES.length] ?? [],
        borderWidth: 2,
        pointRadius: 0,
        pointHitRadius: 8,
        pointHoverRadius: 5,
      })),
    },
    options: {
      interaction: { mode: "nearest", axis: "x", intersect: false },
      scales: {
        x: { type: "linear", min: 0, ...axisStyle(axisWords) },
        y: {
          type: logarithmic ? "logarithmic" : "linear",
          ...(logarithmic ? {} : { min: 0 }),
          ...axisStyle("latency (ms)"),
        },
      },
      plugins: {
        legend: {
          display: runs.length > 1,
          labels: { color: themed("text"), usePointStyle: true, pointStyle: "line" },
        },
        tooltip: { callbacks: { label: ({ dataset, parsed }) => `${dataset.label}: ${parsed.y?.toPrecision(4)} ms` } },
      },
    },
  });
  const ends = runs.map((run, index) => {
    const curve = selection.curves[index] ?? [];
    const [first, last] = [curve[0], curve.at(-1)];
    return first && last
      ? `${run.name}: ${ms(first[2])} ms after ${duration(first[0])}, ${ms(last[2])} ms after ${duration(last[0])} and ${last[1]} programs.`
      : `${run.name}: not known, as no program ran of some task.`;
  });
  byId("latency-summary").textContent = ends.join("\n");
  byId("latency-chart").setAttribute(
    "aria-label",
    `Latency of ${selection.label} against ${axisWords}, a line for each log`,
  );
  showLatencyTable(runs, selection, axis, axisWords);
  for (const tile of document.querySelectorAll(".tiles button")) {
    tile.setAttribute("aria-pressed", String(isChosen(selections, tile.id)));
  }
}

export function isChosen(selections: readonly Selection[], tileId: string): boolean {
  const selection = chosenSelection(selections);
  return selection?.group === "task" && tileId === `tile-${selection.tasks[0]}`;
}

/** The latency at so many moments, evenly spread. */
function showLatencyTable(runs: readonly PageRun[], selection: Selection, axis: 0 | 1, axisWords: string): void {
  const end = Math.max(0, ...runs.map((_, run) => held(runs, selection, run).at(-1)?.[axis] ?? 0));
  const marks = Array.from({ length: MARKS }, (_, mark) => (end * (mark + 1)) / MARKS);
  const at = (run: number, mark: number) => held(runs, selection, run).findLast((point) => point[axis] <= mark)?.[2];
  fill(
    "latency-table",
    table(
      `Latency of ${selection.label}`,
      [
        { head: axisWords, kind: "number" },
        ...runs.map(({ name }) => ({ head: `${name} (ms)`, kind: "number" as const })),
      ],
      marks.map((mark) => [mark.toFixed(axis === 0 ? 1 : 0), ...runs.map((_, run) => ms(at(run, mark)))]),
    ),
  );
}

export function showLatencyOfTask(data: PageData, task: number): void {
  byId<HTMLSelectElement>("selection").value = `task ${task}`;
  showLatency(data);
  byId("latency-title").scrollIntoView();
}
