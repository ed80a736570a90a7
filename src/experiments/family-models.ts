import { join } from "node:path";
import { z } from "zod";
import { renamed } from "../records/renamed.js";
import { table } from "../report/format.js";
import { type Budget, secondsOf, seedsOf, wholeNetworks } from "./budgets.js";
import { rounded } from "./compare.js";
import type { Experiment, Row, Run, Settings } from "./experiment.js";
import { lines, titled } from "./figures.js";
import { tuned, tuningIdentity, tuningOptions } from "./methods.js";
import { perform } from "./script-run.js";

const TITLE = "Family models, one model, one per task";
const MODELS = {
  op: "one per family (op)",
  hash: "one per family (hash)",
  shared: "one for all",
  ind: "one per task",
} as const;
/** Half of them are held out; fewer make no pairs to speak of. */
/** Its programs are not chosen by a model. */
const METHOD = "random programs";
const SMALL_TRIALS_PER_TASK = 16;
const RANKING_SECONDS = 30;

/** python/familyseer/experiments/family_models.py: how well models rank programs that they have not seen. */
const rankings = z.preprocess(
  renamed({ held_out: "heldOut" }),
  z.object({
    records: z.number(),
    heldOut: z.number(),
    rankings: z.array(
      z.preprocess(
        renamed({ training_records: "trainingRecords" }),
        z.object({
          model: z.enum(["op", "hash", "shared", "ind"]),
          /** Of those of all tasks together. */
          trainingRecords: z.number(),
          /** Of the pairs of held-out programs of a task, those in order; of each task's fastest quarter, those found. */
          pairs: z.number(),
          recall: z.number(),
        }),
      ),
    ),
  }),
);
type Rankings = z.infer<typeof rankings>;

export const familyModels: Experiment = {
  title: TITLE,
  description: "how well family models, one model and one per task rank programs that they have not seen (section 4.1)",
  devices: ["cpu", "cuda", "simulated"],
  async plan(settings) {
    const runs = wholeNetworks(settings, ["mobilenetv2_0.5"], SMALL_TRIALS_PER_TASK).flatMap((budget) =>
      seedsOf({ ...settings, seeds: settings.seeds ?? [0] }).map((seed) => ({
        network: budget.model,
        seed,
        run: rankingRun(budget, seed, settings),
      })),
    );
    return {
      runs: runs.map(({ run }) => run),
      conclude(results) {
        const rows = runs.flatMap(({ network, seed, run }) =>
          results(run).rankings.map(({ model, trainingRecords, pairs, recall }) => ({
            network,
            seed,
            model: MODELS[model],
            "records to learn from": trainingRecords,
            "pairs in order (%)": 100 * pairs,
            "fastest quarter found (%)": 100 * recall,
          })),
        );
        return {
          data: {
            device: settings.device,
            runs: runs.map(({ network, seed, run }) => ({ network, seed, ...results(run) })),
          },
          rows,
          text: show(rows),
          figures: { ranking: figure(rows, settings) },
        };
      },
    };
  },
};

/** Random programs are measured, and the models learn from some of them: those of a search would be chosen by a model. */
function rankingRun(budget: Budget, seed: number, settings: Settings): Run<Rankings> {
  const { device, tvmPython } = settings;
  const options = tuningOptions(METHOD, budget, seed, settings);
  const { target } = options;
  return {
    name: `${budget.model}, rankings, seed ${seed}, ${device}`,
    seconds: secondsOf(settings, budget) + RANKING_SECONDS,
    identity: { script: "family_models.py", sampling: tuningIdentity(METHOD, budget, seed, settings) },
    result: rankings,
    async perform(folder, signal) {
      const log = join(folder, "records.json");
      await tuned({ ...options, tvmPython, log, signal });
      const args = ["--log", log, "--network", budget.model, "--target", target, "--seed", `${seed}`];
      const script = { name: TITLE, seconds: RANKING_SECONDS, script: "family_models.py", args, target, tvmPython };
      return perform({ ...script, result: rankings }, folder, signal);
    },
  };
}

function show(rows: readonly Row[]): string {
  const keys = ["network", "seed", "model", "records to learn from", "pairs in order (%)", "fastest quarter found (%)"];
  return [
    "held-out programs of the same tasks, drawn at random; pairs of a task, weighted by their number",
    "",
    table(
      keys,
      rows.map((row) => keys.map((key) => (key.endsWith("(%)") ? rounded(row[key], 1) : (row[key] ?? "-")))),
    ),
  ].join("\n");
}

function figure(rows: readonly Row[], settings: Settings) {
  return lines(rows, {
    title: titled(TITLE, settings),
    subtitle: "pairs of held-out programs that are in order; 50 % is chance",
    x: "records to learn from",
    y: "pairs in order (%)",
    series: "model",
    detail: "seed",
    ...(new Set(rows.map(({ network }) => network)).size > 1 ? { facet: "network" } : {}),
  });
}
