import { z } from "zod";
import { table } from "../report/format.js";
import { type Budget, seedsOf, wholeNetworks } from "./budgets.js";
import { rounded } from "./compare.js";
import type { Experiment, Results, Row, Settings } from "./experiment.js";
import { bars, titled } from "./figures.js";
import { deviceOptions, nameOf, tuneRun } from "./methods.js";
import { scriptRun } from "./script-run.js";

const TITLE = "Latency at the same budget";
const METHODS = ["Ansor", "FamilySeer", "fast mode"] as const;
/** One with dense layers alone, which libraries have, and one of the paper's. */
const SMALL_NETWORKS = ["mlp", "mobilenetv2_0.5"];
const LIBRARY_SECONDS = 40;

/** python/familyseer/experiments/library_kernels.py: ms of the network, by library; what this TVM lacks. */
const libraries = z.object({ ms: z.record(z.string(), z.number()), missing: z.record(z.string(), z.string()) });

export const finalLatency: Experiment = {
  title: TITLE,
  description:
    "latency of whole networks after the same number of programs: untuned, library kernels, the tuner by itself, FamilySeer, the fast mode",
  devices: ["cpu", "cuda", "simulated"],
  withMetaSchedule: true,
  async plan(settings) {
    const networks = wholeNetworks(settings, SMALL_NETWORKS).map((budget) => ({
      network: budget.model,
      library: settings.device === "simulated" || settings.tuner !== "ansor" ? null : libraryRun(budget, settings),
      tunings: METHODS.flatMap((method) =>
        seedsOf(settings).map((seed) => ({
          method: nameOf(method, settings),
          seed,
          run: tuneRun(method, budget, seed, settings),
        })),
      ),
    }));
    return {
      runs: networks.flatMap(({ library, tunings }) => [
        ...(library ? [library] : []),
        ...tunings.map(({ run }) => run),
      ]),
      conclude(results) {
        const rows = networks.flatMap(({ network, library, tunings }) => [
          ...(library ? libraryRows(network, results(library)) : []),
          ...tunedRows(network, tunings, results),
        ]);
        return {
          data: {
            device: settings.device,
            rows,
            missing: networks.map(({ network, library }) => ({
              network,
              missing: library ? results(library).missing : {},
            })),
          },
          rows,
          text: show(
            rows,
            networks.flatMap(({ library }) => (library ? [results(library).missing] : [])),
          ),
          figures: { latency: figure(rows, settings) },
        };
      },
    };
  },
};

function libraryRun({ model }: Budget, { device, tvmPython }: Settings) {
  const { target } = deviceOptions(device);
  return scriptRun({
    name: `${model}, library kernels, ${device}`,
    seconds: LIBRARY_SECONDS,
    script: "library_kernels.py",
    args: ["--network", model, "--target", target],
    target,
    tvmPython,
    result: libraries,
  });
}

function libraryRows(network: string, { ms }: z.infer<typeof libraries>): Row[] {
  return Object.entries(ms).map(([library, latency]) =>
    row(network, library, null, { measured: latency, estimated: null, programs: null }),
  );
}

function tunedRows(
  network: string,
  tunings: readonly { method: string; seed: number; run: ReturnType<typeof tuneRun> }[],
  results: Results,
): Row[] {
  return tunings.map(({ method, seed, run }) => {
    const { points, network: timed, programs } = results(run);
    return row(network, method, seed, {
      measured: timed?.tuned ?? null,
      estimated: points.at(-1)?.[2] ?? null,
      programs,
    });
  });
}

interface Latency {
  readonly measured: number | null;
  readonly estimated: number | null;
  readonly programs: number | null;
}

function row(network: string, by: string, seed: number | null, { measured, estimated, programs }: Latency): Row {
  return { network, by, seed, programs, "measured (ms)": measured, "sum of tasks (ms)": estimated };
}

function show(rows: readonly Row[], missing: readonly Readonly<Record<string, string>>[]): string {
  const cells = rows.map((each) => [
    each["network"] ?? "-",
    each["by"] ?? "-",
    each["seed"] ?? "-",
    each["programs"] ?? "-",
    rounded(each["measured (ms)"], 4),
    rounded(each["sum of tasks (ms)"], 4),
  ]);
  const lacking = Object.entries(Object.assign({}, ...missing) as Record<string, string>);
  return [
    "measured: the whole network, compiled and timed; sum of tasks: the tuned tasks' best by weight, as the tuner timed them",
    "",
    table(["network", "by", "seed", "programs", "measured (ms)", "sum of tasks (ms)"], cells),
    ...lacking.map(([library, why]) => `${library}: ${why}`),
  ].join("\n");
}

/** Untuned is 1; where nothing was measured, what Ansor's tasks add up to is. */
function figure(rows: readonly Row[], settings: Settings) {
  const key = settings.device === "simulated" ? "sum of tasks (ms)" : "measured (ms)";
  const unit = settings.device === "simulated" ? "Ansor" : "untuned";
  const of = `latency over ${unit}'s`;
  const shares = rows.map((each) => {
    const base = rows.find(({ network, by }) => network === each["network"] && by === unit)?.[key];
    const ms = each[key];
    return { ...each, [of]: typeof ms === "number" && typeof base === "number" ? ms / base : null };
  });
  const first = new Set(seedsOf(settings).slice(0, 1));
  return bars(
    shares.filter(({ seed }) => seed === null || first.has(seed as number)),
    {
      title: titled(TITLE, settings),
      category: "network",
      value: of,
      series: "by",
    },
  );
}
