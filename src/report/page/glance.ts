/** What each log is, and what it reached. */
import type { PageData, PageRun, Selection } from "../page-data.js";
import { swatch } from "./colours.js";
import { byId, type Column, fill, make, table } from "./elements.js";
import { duration, ms, programs } from "./words.js";

export function showGlance({ runs, selections }: PageData): void {
  const [network] = selections;
  const goal = network?.curves[0]?.at(-1)?.[2];
  const columns: Column[] = [
    { head: "log", kind: "wide" },
    { head: "latency (ms)", kind: "number" },
    ...(runs.length > 1 ? [{ head: `had ${ms(goal)} ms after`, kind: "wide" as const }] : []),
    { head: "programs", kind: "number" },
    { head: "time", kind: "number" },
    { head: "ended", kind: "wide" },
    { head: "tuned as", kind: "widest" },
  ];
  const rows = runs.map((run, index) => [
    make("span", {}, swatch(index), run.name),
    ms(network?.curves[index]?.at(-1)?.[2]),
    ...(runs.length > 1 ? [network ? reachedWords(network, index) : "-"] : []),
    programs(run.trials, run.failures),
    duration(run.seconds),
    run.ended ?? "-",
    settings(run),
  ]);
  const most = runs.length > 1 ? ` The others are held against what ${runs[0]?.name} reached in the end.` : "";
  byId("glance-hint").textContent =
    `Latency is the sum over ${network?.label} of the best program's time, times how often the network runs it.${most}`;
  fill("glance", table("The logs at a glance", columns, rows));
}

function settings({ settings: pairs, target }: PageRun): string {
  return [...pairs, ["target", target]].map(([name, value]) => `${name} ${value}`).join(", ");
}

/** When a run had what the first run reached in the end, and how much sooner than that one. */
function reachedWords({ reached }: Selection, run: number): string {
  const [first, own] = [reached[0], reached[run]];
  if (!first || !own) {
    return "never";
  }
  const sooner = run > 0 && own[0] > 0 ? `, ${(first[0] / own[0]).toPrecision(3)} times as fast` : "";
  return `${duration(own[0])}, ${own[1]} programs${sooner}`;
}
