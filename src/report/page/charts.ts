/** Charts by the library. */
import type { ChartConfiguration, Chart as ChartOf } from "chart.js";
import { themed } from "./colours.js";
import { byId } from "./elements.js";

// The page carries the library's own file before this program.
declare const Chart: typeof ChartOf;

/** By the ids of their canvases. */
const charts = new Map<string, ChartOf>();

/** Puts a chart on a canvas, in place of the one it has. */
export function draw(id: string, configuration: ChartConfiguration<"line" | "bar">): void {
  const shared = { animation: false, responsive: true, maintainAspectRatio: false } as const;
  const options = { ...configuration.options, ...shared };
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  const chart = charts.get(id);
  if (chart) {
    chart.data = configuration.data;
    chart.options = options;
    chart.update("none");
  } else {
    charts.set(id, new Chart(byId<HTMLCanvasElement>(id), { ...configuration, options }));
  }
}

export function axisStyle(words: string) {
  return {
    title: { display: true, text: words, color: themed("muted") },
    ticks: { color: themed("muted") },
    grid: { color: themed("line") },
  };
}
