import type { Command } from "@commander-js/extra-typings";
import { max, median, min } from "simple-statistics";
import { InvalidRequestError } from "../errors.js";
import { type EvaluateOptions, evaluate, exportLibrary, type Latencies } from "../network/evaluate.js";
import { GROUPS } from "../options/entry.js";
import { RUNTIMES, type Runtime } from "../protocol/operations/against.js";
import { inputsLine, ms, table } from "../report/format.js";
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
import { oneOf } from "./near-misses.js";

const WORDS: Record<Runtime, string> = { onnxruntime: "ONNX Runtime" };
const runtimes = (text: string): Runtime[] => text.split(",").map((part) => oneOf(RUNTIMES)(part.trim()));

const AGAINST_HELP = `time the same network in other runtimes, too, as far as the Python with TVM has them: ${RUNTIMES.join(",")}`;

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
    .option("--against <runtimes>", AGAINST_HELP, runtimes)
    .option("--json", "print an object");
  const command = withWorkerOptions(exporting).action(async ({ json = false, timing, ...flags }) => {
    const options: EvaluateOptions = {
      ...flags,
      onInputs: (inputs) => console.error(inputsLine(inputs)),
      onNotice: (notice) => console.error(notice),
    };
    if (!timing && flags.against !== undefined) {
      throw new InvalidRequestError("--no-timing times nothing. Leave it or --against out.");
    }
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
  const { untuned, tuned, threads, timings, against } = await evaluate(options);
  if (json) {
    const library = options.export ?? null;
    console.log(JSON.stringify({ untunedSeconds: untuned, tunedSeconds: tuned, threads, library, timings, against }));
    return;
  }
  const ratio = (untuned / tuned).toFixed(2);
  const onThreads = threads === null ? "" : `, threads: ${threads}`;
  console.log(
    `${options.model}: untuned ${ms(untuned)} ms, tuned ${ms(tuned)} ms (${ratio} times as fast)${onThreads}`,
  );
  if (against.length > 0) {
    console.log(`\n${comparison(timings, against)}`);
  }
  if (options.export !== undefined) {
    console.log(exported(options.export));
  }
}

/** A row for each build and runtime: its median and spread, and how much of its time the tuned build takes. */
function comparison({ untuned, tuned }: Latencies["timings"], against: Latencies["against"]): string {
  const row = (name: string, timings: readonly number[], differs: string) => [
    name,
    ...[median(timings), min(timings), max(timings)].map(ms),
    (median(tuned) / median(timings)).toFixed(2),
    differs,
  ];
  const rows = against.map(({ runtime, version, timings: theirs, difference, same }) => {
    const differs = difference === null ? "not comparable" : difference.toExponential(1);
    return row(`${WORDS[runtime]} ${version}`, theirs, same ? differs : `${differs}: another network!`);
  });
  const head = ["", "ms", "least", "most", "tuned takes of it", "outputs differ from tuned by"];
  return table(head, [row("untuned", untuned, ""), row("tuned", tuned, ""), ...rows]);
}

async function exportAndPrint(options: EvaluateOptions, json: boolean): Promise<void> {
  const file = options.export;
  if (file === undefined) {
    throw new InvalidRequestError("--no-timing leaves nothing to do. Expected --export FILE beside it.");
  }
  await exportLibrary({ ...options, export: file });
  console.log(
    json
      ? JSON.stringify({
          untunedSeconds: null,
          tunedSeconds: null,
          threads: null,
          library: file,
          timings: null,
          against: [],
        })
      : exported(file),
  );
}
