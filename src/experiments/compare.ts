import { geometricMean } from "simple-statistics";
import { table } from "../report/format.js";
import { type Budget, searchBudgets, seedsOf } from "./budgets.js";
import type { Conclusion, Plan, Results, Row, Run, Settings } from "./experiment.js";
import { lines, titled } from "./figures.js";
import { costOf, curveOf, type Method, nameOf, type Tuning, tuneRun } from "./methods.js";
import { endOf, GOALS, speedUps } from "./time-to-latency.js";

/** One tuning of a comparison: by whom, of what, with which seed. */
export interface Entry {
  readonly method: string;
  readonly network: string;
  readonly seed: number;
  readonly run: Run<Tuning>;
}

/** Tunings by several methods, with the same budget and seeds. */
export function entriesOf(
  methods: readonly Method[],
  settings: Settings,
  more: (budget: Budget, seed: number) => readonly Entry[] = () => [],
): Entry[] {
  return searchBudgets(settings).flatMap((budget) =>
    seedsOf(settings).flatMap((seed) => [
      ...methods.map((method) => ({
        method: nameOf(method, settings),
        network: budget.model,
        seed,
        run: tuneRun(method, budget, seed, settings),
      })),
      ...more(budget, seed),
    ]),
  );
}

/** A plan that holds every method's curve against the reference's, of the same network and seed. */
export function comparison(title: string, reference: Method, entries: readonly Entry[], settings: Settings): Plan {
  return {
    runs: entries.map(({ run }) => run),
    conclude: (results) => conclude(title, nameOf(reference, settings), entries, settings, results),
  };
}

export function conclude(
  title: string,
  reference: string,
  entries: readonly Entry[],
  settings: Settings,
  results: Results,
): Conclusion {
  const over = costOf(settings.device);
  const curve = (entry: Entry) => curveOf(results(entry.run), over);
  const rows = entries.map((entry) => {
    const { method, network, seed, run } = entry;
    const same = entries.find((each) => each.method === reference && each.network === network && each.seed === seed);
    const theirs = same ? curve(same) : [];
    const { programs, failures, seconds } = results(run);
    const end = endOf(curve(entry));
    return {
      network,
      seed,
      tuner: method,
      programs,
      failures,
      seconds,
      "latency (ms)": Number.isFinite(end) ? end : null,
      "latency, of the reference's": Number.isFinite(end) ? end / endOf(theirs) : null,
      ...speedUps(curve(entry), theirs),
    };
  });
  const unit = over === "seconds" ? "seconds of tuning" : "programs measured";
  return {
    data: {
      reference,
      device: settings.device,
      over,
      rows,
      curves: entries.map((entry) => ({ ...told(entry), points: results(entry.run).points })),
    },
    rows,
    text: show(rows, reference, unit),
    figures: { latency: latencyFigure(titled(title, settings), entries, curve, unit) },
  };
}

function told({ method, network, seed }: Entry): Row {
  return { tuner: method, network, seed };
}

function latencyFigure(
  title: string,
  entries: readonly Entry[],
  curve: (entry: Entry) => readonly (readonly [number, number])[],
  unit: string,
) {
  const rows = entries.flatMap((entry) =>
    curve(entry).map(([at, ms]) => ({ ...told(entry), [unit]: at, "latency (ms)": ms })),
  );
  const networks = new Set(entries.map(({ network }) => network));
  return lines(rows, {
    title,
    subtitle: "sum of the tuned tasks' best, by weight",
    x: unit,
    y: "latency (ms)",
    series: "tuner",
    detail: "seed",
    steps: true,
    logY: true,
    ...(networks.size > 1 ? { facet: "network" } : {}),
  });
}

function show(rows: readonly Row[], reference: string, unit: string): string {
  const goals = Object.keys(GOALS);
  const head = ["network", "seed", "tuner", "programs", "failed", "seconds", "latency (ms)", ...goals];
  const cells = rows.map((row) => [
    ...["network", "seed", "tuner", "programs", "failures"].map((key) => row[key] ?? "-"),
    rounded(row["seconds"], 0),
    rounded(row["latency (ms)"], 4),
    ...goals.map((goal) => rounded(row[goal], 2)),
  ]);
  const means = [...new Set(rows.map(({ tuner }) => tuner))].map((tuner) => {
    const of = rows.filter((row) => row["tuner"] === tuner);
    return [tuner ?? "-", mean(of, "latency, of the reference's", 3), ...goals.map((goal) => mean(of, goal, 2))];
  });
  return [
    `${unit} that ${reference} needs over those each needs, to the latency that ${reference} ends near (-: never)`,
    "",
    table(head, cells),
    "",
    "Geometric means of those that get there; in brackets how many did not",
    "",
    table(["tuner", `latency, ${reference}'s = 1`, ...goals], means),
  ].join("\n");
}

function mean(rows: readonly Row[], key: string, digits: number): string {
  const values = rows.map((row) => row[key]).filter((value) => typeof value === "number");
  const missing = rows.length - values.length;
  return `${values.length === 0 ? "-" : geometricMean(values).toFixed(digits)}${missing > 0 ? ` (${missing})` : ""}`;
}

/** A number for a table; `-` where there is none. */
export function rounded(value: string | number | null | undefined, digits: number): string {
  return typeof value === "number" ? value.toFixed(digits) : "-";
}
