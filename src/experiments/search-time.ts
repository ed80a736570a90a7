import { searchBudgets } from "./budgets.js";
import { conclude, type Entry, entriesOf } from "./compare.js";
import type { Experiment, Results, Row, Settings } from "./experiment.js";
import { lines, titled } from "./figures.js";
import { costOf, curveOf, nameOf, TVM, tvmRun } from "./methods.js";
import { type PublishedRun, readPublishedRuns } from "./published-runs.js";
import { bestSoFar, type Curve, endOf } from "./time-to-latency.js";

const TITLE = "Search time to the same latency";
const METHODS = ["Ansor", "FamilySeer", "fast mode"] as const;

export const searchTime: Experiment = {
  title: TITLE,
  description:
    "search time to the latency that the tuner ends with by itself: that, FamilySeer, the fast mode; published runs beside",
  devices: ["cpu", "cuda", "simulated"],
  withMetaSchedule: true,
  async plan(settings) {
    const entries = entriesOf(METHODS, settings, (budget, seed) =>
      settings.device === "cpu" && settings.tuner === "ansor"
        ? [{ method: TVM, network: budget.model, seed, run: tvmRun(budget, seed, settings) }]
        : [],
    );
    const published = await publishedOf(settings);
    return {
      runs: entries.map(({ run }) => run),
      conclude(results) {
        const conclusion = conclude(TITLE, nameOf("Ansor", settings), entries, settings, results);
        const figures = { ...conclusion.figures, ...normalised(entries, published, settings, results) };
        return { ...conclusion, figures };
      },
    };
  },
};

/** The published runs of the same networks, on the device of the same kind; they are Ansor's alone. */
async function publishedOf(settings: Settings): Promise<PublishedRun[]> {
  if (settings.tuner !== "ansor") {
    return [];
  }
  const device = settings.device === "cpu" ? "silver4210" : "v100";
  const networks = new Set(searchBudgets(settings).map(({ model }) => model));
  return (await readPublishedRuns()).filter((run) => run.device === device && networks.has(run.network));
}

/**
 * Ours and the published ones, each as shares of what Ansor's run beside it took and ended with: devices, budgets and
 * what is tuned differ, so that nothing else can be compared.
 */
function normalised(
  entries: readonly Entry[],
  published: readonly PublishedRun[],
  settings: Settings,
  results: Results,
) {
  const over = costOf(settings.device);
  const ours = entries
    .filter(({ method }) => method === "Ansor" || method === "FamilySeer")
    .map(({ method, network, seed, run }) => ({
      tuner: method,
      network,
      seed,
      source: "ours",
      curve: curveOf(results(run), over),
    }));
  const theirs = published.map((run) => ({
    tuner: run.method === "ansor" ? "Ansor" : "FamilySeer",
    network: run.network,
    seed: 0,
    source: `published, ${run.device}`,
    curve: bestSoFar(run.curve),
  }));
  const all = [...ours, ...theirs];
  const rows = all.flatMap(({ curve, ...told }) => {
    const ansor = all.find(
      (each) =>
        each.tuner === "Ansor" &&
        each.network === told.network &&
        each.seed === told.seed &&
        each.source === told.source,
    );
    return sharesOf(curve, ansor?.curve ?? []).map((share) => ({ ...told, ...share }));
  });
  if (theirs.length === 0 || rows.length === 0) {
    return {};
  }
  return {
    "beside-published": lines(rows, {
      title: titled("Beside the published runs, as shares of Ansor's", settings),
      subtitle: `ours: ${over} and tasks of this scale; published: the whole network, its tuning seconds`,
      x: "share of Ansor's tuning",
      y: "latency over Ansor's end",
      series: "tuner",
      dashes: "source",
      detail: "seed",
      steps: true,
      logY: true,
      ...(new Set(all.map(({ network }) => network)).size > 1 ? { facet: "network" } : {}),
    }),
  };
}

function sharesOf(curve: Curve, ansor: Curve): Row[] {
  const [whole, end] = [ansor.at(-1)?.[0] ?? Number.NaN, endOf(ansor)];
  return curve.map(([at, ms]) => ({ "share of Ansor's tuning": at / whole, "latency over Ansor's end": ms / end }));
}
