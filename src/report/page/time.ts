/** Where the time went. */
import type { PageData, Phases } from "../page-data.js";
import { axisStyle, draw } from "./charts.js";
import { colour, themed } from "./colours.js";
import { byId, fill, table } from "./elements.js";
import { duration } from "./words.js";

const PHASES = ["search", "build", "run", "learn", "wait"] as const;

interface Bar {
  readonly label: string;
  readonly seconds: Readonly<Record<(typeof PHASES)[number], number>>;
}

function bars({ runs, tasks }: PageData, grouping: string, chosen: number): Bar[] {
  if (grouping === "run") {
    return runs.flatMap(({ name, decisions, phases, seconds }) => {
      const spent = sumOf(phases.map(([, each]) => each));
      const busy = spent.search + spent.build + spent.run + spent.learn;
      return decisions ? [{ label: name, seconds: { ...spent, wait: Math.max(0, seconds - busy) } }] : [];
    });
  }
  const groups = new Map<string, Phases[]>();
  for (const [task, phases] of runs[chosen]?.phases ?? []) {
    const { title = "", family } = tasks[task] ?? {};
    const label = grouping === "task" ? title : (family ?? "no family known");
    groups.set(label, [...(groups.get(label) ?? []), phases]);
  }
  return [...groups].map(([label, some]) => ({ label, seconds: { ...sumOf(some), wait: 0 } }));
}

function sumOf(some: readonly Phases[]): Phases {
  const sum = { search: 0, build: 0, run: 0, learn: 0 };
  for (const phases of some) {
    sum.search += phases.search;
    sum.build += phases.build;
    sum.run += phases.run;
    sum.learn += phases.learn;
  }
  return sum;
}

export function showTime(data: PageData, run: number): void {
  const grouping = byId<HTMLSelectElement>("grouping").value;
  const shown = bars(data, grouping, run);
  const box = byId("time-box");
  box.hidden = shown.length === 0;
  box.style.height = `${6 + 2.2 * shown.length}rem`;
  const narrow = matchMedia("(max-width: 40rem)").matches;
  draw("time-chart", {
    type: "bar",
    data: {
      labels: shown.map(({ label }) => (narrow && label.length > 16 ? `${label.slice(0, 15)}…` : label)),
      datasets: PHASES.map((phase, index) => ({
        label: phase,
        data: shown.map(({ seconds }) => seconds[phase]),
        backgroundColor: colour(index),
        borderColor: themed("surface"),
        borderWidth: 1,
        maxBarThickness: 28,
      })),
    },
    options: {
      indexAxis: "y",
      scales: {
        x: { stacked: true, ...axisStyle("seconds") },
        y: { stacked: true, ticks: { color: themed("muted"), autoSkip: false }, grid: { display: false } },
      },
      plugins: {
        legend: { labels: { color: themed("text") } },
        tooltip: { callbacks: { label: ({ dataset, parsed }) => `${dataset.label}: ${duration(parsed.x ?? 0)}` } },
      },
    },
  });
  byId("time-chart").setAttribute(
    "aria-label",
    `Seconds of each phase, a bar for each ${grouping === "run" ? "log" : grouping}`,
  );
  fill(
    "time-table",
    shown.length === 0
      ? "Not known: there is no journal."
      : table(
          "Seconds of each phase",
          [
            { head: grouping === "run" ? "log" : grouping, kind: "wide" },
            ...PHASES.map((head) => ({ head: `${head} (s)`, kind: "number" as const })),
          ],
          shown.map(({ label, seconds }) => [label, ...PHASES.map((phase) => seconds[phase].toFixed(1))]),
        ),
  );
}
