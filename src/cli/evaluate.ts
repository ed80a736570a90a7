import type { Command } from "@commander-js/extra-typings";
import { InvalidRequestError } from "../errors.js";
import { type EvaluateOptions, evaluate, exportLibrary } from "../network/evaluate.js";
import { GROUPS } from "../options/entry.js";
import { inputsLine, ms } from "../report/format.js";
import {
  EXPORT_HELP,
  example,
  exported,
  type Finish,
  wholeNumber,
  withNetworkOptions,
  withWorkerOptions,
} from "./command.js";
import { EXIT } from "./exit-code.js";
import { withOptions } from "./flags.js";

export function addEvaluate(program: Command, finish: Finish): void {
  const described = program
    .command("evaluate")
    .description("compile a network with a log's best programs and time it beside the untuned build");
  const named = withNetworkOptions(described)
    .optionsGroup(GROUPS.required)
    .requiredOption("--log <file>", "log of a tuning, or the folder of a database")
    .optionsGroup(GROUPS.usual)
    .option("--repeat <n>", "timings of each build, in turn; the median counts", wholeNumber, 5);
  const leastTime = { help: "least time of a timing", default: 300, group: "usual" } as const;
  const timed = withOptions(named, ["minRepeatMs"], leastTime);
  const exporting = withOptions(timed, ["threads", "acceptOtherTargets"], { group: "usual" })
    .option("--export <file>", EXPORT_HELP)
    .option("--no-timing", "with --export: time nothing, so that the target may be another machine's")
    .option("--json", "print an object");
  const command = withWorkerOptions(exporting).action(async ({ json = false, timing, ...flags }) => {
    const options: EvaluateOptions = {
      ...flags,
      onInputs: (inputs) => console.error(inputsLine(inputs)),
      onNotice: (notice) => console.error(notice),
    };
    if (timing) {
      await evaluateAndPrint(options, json);
    } else {
      await exportAndPrint(options, json);
    }
    finish(EXIT.done);
  });
  example(command, "familyseer evaluate --model mobilenetv2_0.5 --target native --log mobilenet.log");
}

async function evaluateAndPrint(options: EvaluateOptions, json: boolean): Promise<void> {
  const { untuned, tuned, threads } = await evaluate(options);
  if (json) {
    const library = options.export ?? null;
    console.log(JSON.stringify({ untunedSeconds: untuned, tunedSeconds: tuned, threads, library }));
    return;
  }
  const ratio = (untuned / tuned).toFixed(2);
  const onThreads = threads === null ? "" : `, threads: ${threads}`;
  console.log(
    `${options.model}: untuned ${ms(untuned)} ms, tuned ${ms(tuned)} ms (${ratio} times as fast)${onThreads}`,
  );
  if (options.export !== undefined) {
    console.log(exported(options.export));
  }
}

async function exportAndPrint(options: EvaluateOptions, json: boolean): Promise<void> {
  const file = options.export;
  if (file === undefined) {
    throw new InvalidRequestError("--no-timing leaves nothing to do. Expected --export FILE beside it.");
  }
  await exportLibrary({ ...options, export: file });
  console.log(
    json ? JSON.stringify({ untunedSeconds: null, tunedSeconds: null, threads: null, library: file }) : exported(file),
  );
}
