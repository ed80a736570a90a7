import { geometricMean } from "simple-statistics";
import { InvalidRequestError } from "../errors.js";
import { table } from "../report/format.js";
import type { Experiment, Row } from "./experiment.js";
import { lines } from "./figures.js";
import { type PublishedRun, readPublishedRuns } from "./published-runs.js";
import { bestSoFar, GOALS, speedUps } from "./time-to-latency.js";

/** The published tunings of one network on one device, beside each other. */
export interface PublishedComparison {
  readonly network: string;
  readonly device: PublishedRun["device"];
  /** By goal: seconds Ansor needs over seconds FamilySeer needs; null: FamilySeer's curve never gets there. */
  readonly speedUps: Readonly<Record<string, number | null>>;
  /** Estimated latencies after as many programs really measured. */
  readonly equalPrograms: EqualBudget;
  /** The same after as many trials as the logs count. */
  readonly equalTrials: EqualBudget;
}

/** What both tuners estimate (ms) when both have spent the smaller of their whole budgets; null: still warming up. */
export interface EqualBudget {
  readonly budget: number;
  readonly ansorMs: number | null;
  readonly familyseerMs: number | null;
}

const DEVICE_NAMES = { v100: "NVIDIA V100", silver4210: "Xeon Silver 4210" };

export const published: Experiment = {
  title: "The paper's own runs",
  description: "the paper's own runs: FamilySeer's speed-up over Ansor to the same latency",
  devices: [],
  async plan() {
    const runs = await readPublishedRuns();
    const comparisons = comparePublished(runs);
    return {
      runs: [],
      conclude: () => ({
        data: comparisons,
        rows: comparisons.map(({ network, device, speedUps }) => ({ network, device, ...speedUps })),
        text: show(comparisons),
        figures: {
          "latency-v100": figure(runs, "v100"),
          "latency-silver4210": figure(runs, "silver4210"),
        },
      }),
    };
  },
};

/** The latency so far of every network, compiled and timed by the authors, over their tuning seconds. */
function figure(runs: readonly PublishedRun[], device: PublishedRun["device"]) {
  const rows: Row[] = runs
    .filter((run) => run.device === device)
    .flatMap(({ network, method, curve }) =>
      bestSoFar(curve).map(([seconds, ms]) => ({
        network,
        tuner: method === "ansor" ? "Ansor" : "FamilySeer",
        "hours of tuning": seconds / 3600,
        "latency (ms)": ms,
      })),
    );
  return lines(rows, {
    title: `Published: ${DEVICE_NAMES[device]}, latency so far`,
    x: "hours of tuning",
    y: "latency (ms)",
    series: "tuner",
    facet: "network",
    steps: true,
    logY: true,
  });
}

/** @throws InvalidRequestError if a run of Ansor lacks FamilySeer's. */
export function comparePublished(runs: readonly PublishedRun[]): PublishedComparison[] {
  return runs
    .filter(({ method }) => method === "ansor")
    .map((ansor) => {
      const { network, device } = ansor;
      const familyseer = runs.find(
        (run) => run.method === "familyseer" && run.network === network && run.device === device,
      );
      if (!familyseer) {
        throw new InvalidRequestError(`There is no run of FamilySeer for ${network} on ${device}, only Ansor's.`);
      }
      return {
        network,
        device,
        speedUps: speedUps(familyseer.curve, ansor.curve),
        equalPrograms: atEqual("programs", ansor, familyseer),
        equalTrials: atEqual("trials", ansor, familyseer),
      };
    });
}

function atEqual(count: "programs" | "trials", ansor: PublishedRun, familyseer: PublishedRun): EqualBudget {
  const budget = Math.min(...[ansor, familyseer].map(({ rounds }) => rounds.at(-1)?.[count] ?? 0));
  const estimate = ({ rounds }: PublishedRun) =>
    rounds.findLast((round) => round[count] <= budget)?.estimatedMs ?? null;
  return { budget, ansorMs: estimate(ansor), familyseerMs: estimate(familyseer) };
}

/** Ansor's estimate over FamilySeer's, as the geometric mean of all networks that have both. */
export function meanRatio(budgets: readonly EqualBudget[]): number {
  return geometricMean(
    budgets.flatMap(({ ansorMs, familyseerMs }) =>
      ansorMs === null || familyseerMs === null ? [] : [ansorMs / familyseerMs],
    ),
  );
}

function show(comparisons: readonly PublishedComparison[]): string {
  const lines = ["Seconds Ansor needs over seconds FamilySeer needs (-: FamilySeer's curve never gets there)"];
  for (const [device, name] of Object.entries(DEVICE_NAMES)) {
    const here = comparisons.filter((comparison) => comparison.device === device);
    const rows = here.map(({ network, speedUps }) => [
      network,
      ...Object.values(speedUps).map((ratio) => ratio?.toFixed(2) ?? "-"),
    ]);
    lines.push("", `${name}, to Ansor's best latency`, table(["network", ...Object.keys(GOALS)], rows));
    const programs = meanRatio(here.map(({ equalPrograms }) => equalPrograms)).toFixed(3);
    const trials = meanRatio(here.map(({ equalTrials }) => equalTrials)).toFixed(3);
    lines.push(
      `Estimated latency, Ansor's over FamilySeer's: ${programs} at equal programs measured, ${trials} at equal trials as logged`,
    );
  }
  return lines.join("\n");
}
