import { z } from "zod";
import { renamed } from "../records/renamed.js";
import { table } from "../report/format.js";
import type { Experiment } from "./experiment.js";
import { lines } from "./figures.js";
import { scriptRun } from "./script-run.js";

const TITLE = "Several devices";

const throughput = z.preprocess(
  renamed({ failed_of_killed: "failedOfKilled" }),
  z.object({
    /** Programs a second, each time it was measured. */
    throughput: z.array(z.object({ servers: z.number(), rates: z.array(z.number()).min(1) })),
    /** Programs that failed when one of four servers was killed half way. */
    failedOfKilled: z.number(),
  }),
);

/** Its programs sleep, so that it says what the orchestration costs whatever the device. */
export const devices: Experiment = {
  title: TITLE,
  description:
    "programs a second on one, two and four local RPC servers, whose programs wait as if on GPUs (section 4.3)",
  devices: [],
  async plan({ tvmPython }) {
    const args: string[] = [];
    const run = scriptRun({ name: TITLE, seconds: 160, script: "devices.py", args, tvmPython, result: throughput });
    return {
      runs: [run],
      conclude(results) {
        const measured = results(run);
        const one = middle(measured.throughput[0]?.rates ?? []);
        const rows = measured.throughput.map(({ servers, rates }) => ({
          servers,
          kind: "measured",
          "programs a second": middle(rates),
          "of the ideal": middle(rates) / servers / one,
        }));
        const ideal = rows.map((row) => ({ ...row, kind: "ideal", "programs a second": row.servers * one }));
        return {
          data: measured,
          rows,
          text: [
            table(
              ["servers", "programs a second", "of the ideal"],
              rows.map((row) => [row.servers, row["programs a second"].toFixed(2), row["of the ideal"].toFixed(3)]),
            ),
            `one of four servers killed half way: ${measured.failedOfKilled} programs failed`,
          ].join("\n"),
          figures: {
            throughput: lines([...rows, ...ideal], {
              title: "Several devices: local RPC servers, programs that wait",
              x: "servers",
              y: "programs a second",
              series: "kind",
            }),
          },
        };
      },
    };
  },
};

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
