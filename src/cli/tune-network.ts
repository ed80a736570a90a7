import { type Command, InvalidArgumentError } from "@commander-js/extra-typings";
import { CancelledError } from "../errors.js";
import { PLAIN_MODES, type TuneNetworkOptions, tuneNetworkGpu, tuneNetworkX86 } from "../job/tune-network.js";
import { TUNE_DEFAULTS } from "../options/defaults.js";
import { GROUPS } from "../options/entry.js";
import { TuneDisplay } from "../report/tune-display.js";
import { EXPORT_HELP, example, exported, type Finish, wholeNumber, withWorkerOptions } from "./command.js";
import { withOptions } from "./flags.js";
import { interruptible } from "./interrupt.js";
import { nearest } from "./near-misses.js";

/** The flags of FamilySeer's own scripts are spelled as there; commander names them so too. */
type Flags = TuneNetworkOptions & {
  readonly batch_size: number;
  readonly gpu_num?: number;
  readonly pre_tuned?: string;
  readonly json?: boolean;
};

const MODE_HELP =
  "ansor, metaschedule: tune by this tuner alone, as TVM does; any other word: with families, by --tuner";

/** What `scripts/tune_network_gpu` and `scripts/tune_network_x86` call. */
export function addTuneNetwork(program: Command, finish: Finish): void {
  const gpu = addCommand(program, "tune-network-gpu", tuneNetworkGpu, finish)
    .description("tune a network for CUDA GPUs with the paper's settings, or take tuned records; compile and time it")
    .option("--target <target>", "TVM target", "cuda")
    .option("--gpu_num <n>", "GPUs to measure on", wholeNumber, 1);
  example(gpu, "scripts/tune_network_gpu --model mobilenetv2_0.5 --gpu_num 1 --tune");
  const x86 = addCommand(program, "tune-network-x86", tuneNetworkX86, finish)
    .description("the same for this machine's CPU")
    .option("--target <target>", "TVM target; native is this machine's CPU", "native");
  example(x86, "scripts/tune_network_x86 --model mobilenetv2_0.5 --mode ansor --tune");
}

function addCommand(program: Command, name: string, run: typeof tuneNetworkGpu, finish: Finish): Command {
  const command = withOptions(program.command(name), ["model"])
    .optionsGroup(GROUPS.usual)
    .helpOption("-h, --help", "display help for command")
    .option("--batch_size <n>", "batch size", wholeNumber, 1);
  withOptions(command, ["inputs"])
    .option("--tune", "tune first; otherwise the records of --pre_tuned are taken")
    .option("--mode <name>", MODE_HELP, modeName, "familyseer")
    .option(
      "--pre_tuned <folder>",
      "folder of records: MODEL-NHWC-B1-cuda.json, or -llvm.json, or with -MODE-D<gpus> before .json; " +
        "without .json MetaSchedule's (default: tuning/MODE)",
    )
    .option("--export <file>", EXPORT_HELP)
    .option("--trials <n>", "programs to measure in all (default: 900 for each task, and 900)", wholeNumber);
  const { trialsPerRound, foreseeTrials } = TUNE_DEFAULTS;
  withOptions(command, ["trialsPerRound"], { default: trialsPerRound, group: "usual" });
  const foresee = "programs of a foresee round";
  withOptions(command, ["foreseeTrials"], { help: foresee, default: foreseeTrials, group: "usual" });
  withOptions(command, ["population", "generations"], { group: "usual" });
  withOptions(command, ["minRepeatMs"], { help: "least time of timing a program", default: 300, group: "usual" });
  withOptions(command, ["threads"], { group: "usual" })
    .option("--json", "print every event as a line of JSON instead, the last of them the time")
    .action(async ({ batch_size, gpu_num, pre_tuned, json, ...options }: Flags) => {
      const display = new TuneDisplay(process.stdout, { tableEvery: 10 });
      const work = async (signal: AbortSignal) => {
        const { mean, deviation, log, tuningSeconds } = await run({
          ...options,
          batchSize: batch_size,
          ...(gpu_num === undefined ? {} : { gpus: gpu_num }),
          preTuned: pre_tuned,
          signal,
          onEvent: (event) => (json ? console.log(JSON.stringify(event)) : display.show(event)),
          onNotice: (notice) => console.error(notice),
        }).finally(() => display.end());
        if (json) {
          const library = options.export ?? null;
          const times = { meanSeconds: mean, deviationSeconds: deviation, tuningSeconds };
          console.log(JSON.stringify({ type: "timed", ...times, log, library }));
          return;
        }
        // As FamilySeer's scripts print them, for those who read them from there.
        console.log(`Mean inference time (std dev): ${inMs(mean)} ms (${inMs(deviation)} ms)`);
        console.log(`network: ${options.model}, tuning time: ${inHours(tuningSeconds)}, ${tuningSeconds}`);
        if (options.export !== undefined) {
          console.log(exported(options.export));
        }
      };
      finish(
        await interruptible(
          (signal) => work(signal).catch(sayIfCancelled),
          () => display.end(),
          (line) => display.aside(line),
        ),
      );
    });
  return withWorkerOptions(command).optionsGroup(GROUPS.usual);
}

function sayIfCancelled(error: unknown): void {
  if (!(error instanceof CancelledError)) {
    throw error;
  }
  console.error(`familyseer: ${error.message}`);
}

/** A mode as FamilySeer's scripts take it, where all but a tuner's name means families; a misspelt one shall not. */
function modeName(text: string): string {
  const [meant] = (PLAIN_MODES as readonly string[]).includes(text) ? [] : nearest(text, PLAIN_MODES);
  if (meant !== undefined) {
    throw new InvalidArgumentError(`Any word but ${PLAIN_MODES.join(" and ")} means families. Did you mean ${meant}?`);
  }
  return text;
}

/** Seconds as HH:MM:SS. */
function inHours(seconds: number): string {
  const parts = [seconds / 3600, (seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(Math.floor(part)).padStart(2, "0")).join(":");
}

/** Milliseconds as FamilySeer's scripts print them. */
function inMs(seconds: number): string {
  return (seconds * 1000).toFixed(2);
}
