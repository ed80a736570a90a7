import { z } from "zod";
import { table } from "../report/format.js";
import type { Experiment, Settings } from "./experiment.js";
import { lines } from "./figures.js";
import { scriptRun } from "./script-run.js";

const TITLE = "Training cost models";
const SECONDS = { small: 60, paper: 1800 } as const;

const result = z.object({
  rows: z.array(
    z.object({
      model: z.string(),
      seed: z.number(),
      records: z.number(),
      /** Of a round's training, without the features of its new programs. */
      seconds: z.number(),
      pairs: z.number(),
    }),
  ),
  /** What could not be trained on, and why. */
  notices: z.array(z.string()),
});

/** It has its own programs and times by a formula, so it is the same for all networks. */
export const training: Experiment = {
  title: TITLE,
  description: "seconds of a round's training as records grow: TVM's way, ours on the CPU, ours on a GPU (section 4.3)",
  devices: ["cpu", "cuda"],
  async plan(settings) {
    const run = trainingRun(settings);
    return {
      runs: [run],
      conclude(results) {
        const { rows: measured, notices } = results(run);
        const rows = measured.map(({ model, seed, records, seconds, pairs }) => ({
          model,
          seed,
          records,
          "seconds of a round's training": seconds,
          "pairs in order (%)": pairs,
        }));
        return {
          data: results(run),
          rows,
          text: [
            table(
              Object.keys(rows[0] ?? {}),
              measured.map((row) => [row.model, row.seed, row.records, row.seconds.toFixed(3), row.pairs.toFixed(2)]),
            ),
            ...notices,
          ].join("\n"),
          figures: {
            training: lines(rows, {
              title: TITLE,
              subtitle: "programs of mobilenetv2_0.5 for llvm, times by a formula of their features",
              x: "records",
              y: "seconds of a round's training",
              series: "model",
              detail: "seed",
              logY: true,
            }),
          },
        };
      },
    };
  },
};

function trainingRun({ scale, device, seeds, tvmPython }: Settings) {
  const count = seeds?.length ?? (scale === "small" ? 1 : 2);
  const args = [
    "--seeds",
    `${count}`,
    ...(scale === "small" ? ["--per-task", "96", "--sizes", "500", "1000", "2000"] : []),
  ];
  return scriptRun({
    name: `${TITLE}, ${device}`,
    seconds: SECONDS[scale],
    script: "training.py",
    args: [...args, "--train-devices", ...(device === "cuda" ? ["cpu", "cuda"] : ["cpu"])],
    tvmPython,
    result,
  });
}
