import type { Command } from "commander";
import { inputsLine, ms } from "../report/format.js";
import { type EvaluateOptions, evaluate } from "../tuner/evaluate.js";
import {
  example,
  type Finish,
  GROUPS,
  threadsOption,
  wholeNumber,
  withNetworkOptions,
  withWorkerOptions,
} from "./command.js";

export function addEvaluate(program: Command, finish: Finish): void {
  const command = program
    .command("evaluate")
    .description("compile a network with a log's best programs and time it beside the untuned build");
  withNetworkOptions(command)
    .optionsGroup(GROUPS.required)
    .requiredOption("--log <file>", "log of a tuning")
    .optionsGroup(GROUPS.usual)
    .option("--repeat <n>", "timings of each build, in turn; the median counts", wholeNumber, 5)
    .option("--min-repeat-ms <n>", "least time of a timing", wholeNumber, 300)
    .addOption(threadsOption())
    .option("--accept-other-targets", "take records that were measured for other targets, too")
    .option("--json", "print an object")
    .action(async ({ json, ...options }: EvaluateOptions & { json?: boolean }) => {
      const { untuned, tuned, threads } = await evaluate({
        ...options,
        onInputs: (inputs) => console.error(inputsLine(inputs)),
        onNotice: (notice) => console.error(notice),
      });
      console.log(
        json
          ? JSON.stringify({ untunedSeconds: untuned, tunedSeconds: tuned, threads })
          : `${options.model}: untuned ${ms(untuned)} ms, tuned ${ms(tuned)} ms ` +
              `(${(untuned / tuned).toFixed(2)} times as fast)${threads === null ? "" : `, threads: ${threads}`}`,
      );
      finish(0);
    });
  example(
    withWorkerOptions(command),
    "familyseer evaluate --model mobilenetv2_0.5 --target native --log mobilenet.log",
  );
}
