import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { type Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { CancelledError, InvalidRequestError } from "../errors.js";
import { conduct } from "../experiments/conduct.js";
import { DEVICES, type Device, type Experiment, SCALES, type Scale, type Settings } from "../experiments/experiment.js";
import { EXPERIMENTS } from "../experiments/experiments.js";
import { writeConclusion } from "../experiments/output.js";
import { loadDrawing } from "../report/figure.js";
import { table } from "../report/format.js";
import { widthOf } from "../report/screen.js";
import { TUNER_WORDS, TUNERS, type TunerName } from "../tuner-name.js";
import { example, type Finish, wholeNumbers } from "./command.js";
import { EXIT } from "./exit-code.js";
import { interruptible } from "./interrupt.js";
import { didYouMean, oneOf } from "./near-misses.js";

const ALL = "all";
/** Of help that goes to no terminal. */
const HELP_WIDTH = 80;

interface Flags {
  readonly scale: Scale;
  readonly device: readonly Device[];
  readonly tuner: TunerName;
  readonly networks?: readonly string[];
  readonly seeds?: readonly number[];
  readonly out: string;
  readonly json?: boolean;
  readonly tvmPython?: string;
}

export function addExperiment(program: Command, finish: Finish): void {
  const command = program
    .command("experiment")
    .description("reproduce an experiment of the paper, or all of them")
    .argument("[name]", "left out: lists them")
    .addOption(
      new Option("--scale <name>", "how much is tuned").choices(SCALES).argParser(oneOf(SCALES)).default("small"),
    )
    .addOption(
      new Option("--device <names>", `${DEVICES.join(", ")}; or several of them`)
        .argParser(devices)
        .default(["cpu" as Device], "cpu"),
    )
    .option("--networks <names>", "these networks instead of the scale's", names)
    .option("--seeds <numbers>", "a run for each, e.g. 0,1,2 (default: by scale and device)", wholeNumbers)
    .option("--out <folder>", "where runs are kept and results written", "experiments")
    .option("--json", "print the data, of several by name; without a name the list")
    .addOption(
      new Option("--tuner <name>", "what searches; not all experiments are of MetaSchedule")
        .choices(TUNERS)
        .argParser(oneOf(TUNERS))
        .default("ansor"),
    )
    .option("--tvm-python <path>", "use this Python with TVM instead of the installed one")
    .addHelpText("after", () => `\nExperiments:\n${list(widthOf(process.stdout) ?? HELP_WIDTH)}`)
    .action(async (name, flags) => {
      if (name === undefined) {
        console.log(flags.json ? JSON.stringify(described(), null, 2) : list(widthOf(process.stdout)));
        finish(EXIT.done);
        return;
      }
      const chosen = experimentsNamed(name);
      finish(
        await interruptible(
          (signal) => conductUnlessEnded(chosen, flags, signal),
          () => undefined,
        ),
      );
    });
  example(command, "familyseer experiment all --scale small --device cpu,simulated");
}

function experimentsNamed(name: string): [string, Experiment][] {
  const all = Object.entries(EXPERIMENTS);
  const chosen = name === ALL ? all : all.filter(([each]) => each === name);
  if (chosen.length === 0) {
    const names = [ALL, ...Object.keys(EXPERIMENTS)];
    throw new InvalidRequestError(
      `Unknown experiment: ${name}.${didYouMean(name, names)} Expected one of ${names.join(", ")}.`,
    );
  }
  return chosen;
}

async function conductUnlessEnded(
  chosen: readonly [string, Experiment][],
  flags: Flags,
  signal: AbortSignal,
): Promise<void> {
  try {
    await conductAll(chosen, flags, signal);
  } catch (error) {
    if (!(error instanceof CancelledError)) {
      throw error;
    }
    console.error(
      `The run in progress is given up. Finished ones are in ${join(flags.out, "runs")}; the same command goes on.`,
    );
  }
}

/** Each on every device that makes a difference to it. */
async function conductAll(chosen: readonly [string, Experiment][], flags: Flags, signal: AbortSignal): Promise<void> {
  const { scale, tuner, networks = null, seeds = null, out, json, tvmPython } = flags;
  // What is missing is said before hours of runs, not after them.
  await loadDrawing();
  const data: Record<string, unknown> = {};
  for (const [name, experiment] of ofTuner(chosen, flags)) {
    for (const device of devicesOf(experiment, flags.device)) {
      const settings = { scale, device, tuner, networks, seeds, tvmPython };
      const conclusion = await conduct(experiment, settings, join(out, "runs"), signal, (line) => console.error(line));
      const which = [...(experiment.devices.length > 0 ? [scale, device] : []), ...(tuner === "ansor" ? [] : [tuner])];
      const full = [name, ...which].join("-");
      const folder = join(out, full);
      await writeConclusion(folder, experiment.title, about(experiment, settings), conclusion);
      data[full] = conclusion.data;
      if (!json) {
        console.log(`${conclusion.text}\n`);
      }
      console.error(`${join(folder, "index.html")}\n`);
    }
  }
  if (json) {
    const all = Object.values(data);
    console.log(JSON.stringify(all.length === 1 ? all[0] : data, null, 2));
  }
}

/**
 * Those that can be done with the tuner that is asked for.
 *
 * @throws InvalidRequestError if none can, or not on a device that is asked for.
 */
function ofTuner(chosen: readonly [string, Experiment][], { tuner, device }: Flags): readonly [string, Experiment][] {
  if (tuner === "ansor") {
    return chosen;
  }
  if (device.includes("simulated")) {
    throw new InvalidRequestError("The simulated GPU runs programs of Ansor alone. Expected --device cpu or cuda.");
  }
  const able = chosen.filter(([, { withMetaSchedule }]) => withMetaSchedule);
  const left = chosen.filter((each) => !able.includes(each)).map(([name]) => name);
  if (able.length === 0) {
    const names = Object.entries(EXPERIMENTS).flatMap(([name, each]) => (each.withMetaSchedule ? [name] : []));
    throw new InvalidRequestError(
      `The experiment ${left.join(", ")} is not of ${TUNER_WORDS[tuner]}. Expected one of ${names.join(", ")}, or --tuner ansor.`,
    );
  }
  if (left.length > 0) {
    console.error(`left out, as they are not of ${TUNER_WORDS[tuner]}: ${left.join(", ")}`);
  }
  return able;
}

function devicesOf({ title, devices }: Experiment, asked: readonly Device[]): readonly Device[] {
  if (devices.length === 0) {
    return asked.slice(0, 1);
  }
  const able = asked.filter((device) => devices.includes(device));
  if (able.length === 0) {
    console.error(`${title}: left out, as it is done on ${devices.join(" or ")}`);
  }
  return able;
}

function about({ description, devices }: Experiment, { scale, device, tuner }: Settings): string {
  const machine = `${availableParallelism()} CPUs (${cpus()[0]?.model.trim() ?? "unknown"})`;
  return `${description}. ${devices.length > 0 ? `Scale ${scale}, device ${device}, tuner ${TUNER_WORDS[tuner]}. ` : ""}Made on ${machine}.`;
}

function list(width: number | null): string {
  const rows = described().map(({ name, description }) => [name, description]);
  return table(["name", "shows"], [...rows, [ALL, "all of these, one after another"]], width);
}

function described(): { name: string; description: string }[] {
  return Object.entries(EXPERIMENTS).map(([name, { description }]) => ({ name, description }));
}

function names(text: string): string[] {
  return text.split(",").map((name) => name.trim());
}

function devices(text: string): Device[] {
  const wrong = names(text).find((name) => !(DEVICES as readonly string[]).includes(name));
  if (wrong !== undefined) {
    throw new InvalidArgumentError(
      `Expected ${DEVICES.join(", ")}, or several of them with commas between.${didYouMean(wrong, DEVICES)}`,
    );
  }
  return names(text) as Device[];
}
