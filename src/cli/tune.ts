import { type Command, InvalidArgumentError, Option } from "commander";
import { DEFAULT_FAST_FLAGS } from "../core/fast/flags.js";
import { STRATEGIES } from "../core/search-policy.js";
import { requireRan } from "../job/attempts.js";
import type { TuneEvent } from "../job/events.js";
import { Tuner } from "../job/tuner.js";
import { FAST_DEFAULTS, TUNE_DEFAULTS, TUNE_MODES, type TuneOptions } from "../options/options.js";
import { LivePage } from "../report/live-page.js";
import { TuneDisplay } from "../report/tune-display.js";
import {
  decimal,
  example,
  type Finish,
  GROUPS,
  threadsOption,
  wholeNumber,
  wholeNumbers,
  withNetworkOptions,
  withWorkerOptions,
} from "./command.js";
import { interruptible } from "./interrupt.js";

type Flags = Omit<TuneOptions, "worseRatio"> & {
  readonly worseRatio: number | false;
  readonly tableEvery: number;
  /** A port; true for any that is free. */
  readonly page?: number | true;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
};

export function addTune(program: Command, finish: Finish): void {
  const defaults = TUNE_DEFAULTS;
  const command = program.command("tune").description("tune a network");
  withNetworkOptions(command)
    .optionsGroup(GROUPS.required)
    .requiredOption("--trials <n>", "programs to measure in all", wholeNumber)
    .requiredOption("--log <file>", "file that records are appended to; the journal is written beside it")

    .optionsGroup(GROUPS.usual)
    .addOption(
      new Option("--mode <name>", "decide as the paper does, or by all that saves time (docs/fast.md)")
        .choices(TUNE_MODES)
        .default(defaults.mode),
    )
    .option("--resume", "go on with the job of --log, which was killed, ended or asked for fewer --trials")
    .option("--wait", "wait until no other job writes to --log")
    .option("--load-log <file>", "take over the records of an earlier log")
    .option(
      "--load-models <folder>",
      "start from cost models, and in fast mode from schedules, that an earlier run saved",
    )
    .option("--accept-other-targets", "take records that were measured for other targets, too")
    .option("--page [port]", "serve the report's page to browsers of this machine while the job runs", portNumber)
    .option("--table-every <n>", "rounds between task tables; 0: only at the end", wholeNumber, 10)
    .addOption(new Option("--quiet", "print the end and what went wrong, nothing else").conflicts(["verbose", "json"]))
    .option(
      "--verbose",
      "print every program, the seconds of each phase, and what the worker prints, as TVM's warnings",
    )
    .option("--json", "print every event as a line of JSON instead")

    .optionsGroup(GROUPS.search)
    .option("--search-policy <name>", "search policy", defaults.searchPolicy)
    .option(
      "--only-tasks <ids>",
      "tune only these tasks, by the numbers that `familyseer tasks` lists, e.g. 3,4,11",
      wholeNumbers,
    )
    .option("--trials-per-round <n>", `programs of a round (default: ${perMode("trialsPerRound")})`, wholeNumber)
    .option(
      "--foresee-trials <n>",
      `programs of a foresee round; 0, in reference mode: none (default: ${perMode("foreseeTrials")})`,
      wholeNumber,
    )
    .option("--early-stopping <n>", "stop after n programs without improvement", wholeNumber)
    .option("--task-early-stopping <n>", "stop a task after n programs without improvement", wholeNumber)
    .option("--seed <n>", "seed of everything that is drawn", wholeNumber, defaults.seed)
    .option("--population <n>", "programs of a generation of the search", wholeNumber, defaults.population)
    .option("--generations <n>", "generations of the search", wholeNumber, defaults.generations)
    .addOption(
      new Option("--training <mode>", "cost of training: bounded, or as TVM's own")
        .choices(["bounded", "reference"])
        .default(defaults.training),
    )
    .addOption(
      new Option("--train-device <name>", "where bounded training runs")
        .choices(["cpu", "cuda", "auto"])
        .default(defaults.trainDevice),
    )

    .optionsGroup(GROUPS.measuring)
    .option("--build-timeout <s>", "seconds to build a program", wholeNumber, defaults.buildTimeout)
    .option("--no-adaptive-build-timeout", "give every build the whole of --build-timeout")
    .option("--run-timeout <s>", "seconds to run a program", wholeNumber, defaults.runTimeout)
    .option("--number <n>", "runs of a program per repeat", wholeNumber, defaults.number)
    .option("--repeat <n>", "repeats of timing a program", wholeNumber, defaults.repeat)
    .option("--min-repeat-ms <n>", "least time of a repeat", wholeNumber, defaults.minRepeatMs)
    .option(
      "--worse-ratio <x>",
      "time no further what is so many times slower than the best",
      decimal,
      defaults.worseRatio,
    )
    .option("--no-worse-ratio", "time every program to the end, as TVM does")
    .option("--parallel <n>", "programs built at once; 0: as many as there are CPUs", wholeNumber, defaults.parallel)
    .addOption(threadsOption())

    .optionsGroup(GROUPS.devices)
    .option("--gpus <n>", "measure on so many GPUs of this machine at once", wholeNumber)
    .option("--tracker <host:port>", "measure on the servers of this TVM RPC tracker (docs/devices.md)")
    .option("--device-key <key>", "key of the servers to measure on")
    .option("--overlap", "search, build and learn while the devices measure (default: on GPUs)")
    .option("--no-overlap", "wait for each round before the next is searched")
    .option(
      "--workers <n>",
      "search in so many processes, each with families of its own, while the devices measure",
      wholeNumber,
      defaults.workers,
    );

  withWorkerOptions(command)
    .optionsGroup(GROUPS.experiments)
    .addOption(
      new Option("--strategy <name>", "how tasks are chosen (reference mode)")
        .choices(STRATEGIES)
        .default(defaults.strategy),
    )
    .option("--alpha <x>", "weight of the past in a gradient (reference mode)", decimal, defaults.alpha)
    .option("--beta <x>", "how much slower than its like a task may be (reference mode)", decimal, defaults.beta)
    .option("--gamma <x>", "kept for TVM's sake, decides nothing", decimal, defaults.gamma)
    .option(
      "--backward-window <n>",
      "rounds a gradient looks back (reference mode)",
      wholeNumber,
      defaults.backwardWindow,
    )
    .option("--no-share-schedules", "fast mode without fitting siblings' best schedules")
    .option("--descent", "fast mode with moves of single tile sizes, too", DEFAULT_FAST_FLAGS.descent)
    .option("--no-draft", "fast mode without the analytic draft of the first programs")
    .option("--no-foresee-by-gain", "fast mode without foresee rounds where the model expects most")
    .option("--no-gain-per-second", "fast mode that counts programs, not seconds")
    .option("--no-adaptive-population", "fast mode with --population and --generations throughout")
    .option("--no-sized-looks", "fast mode that looks as long at tasks of little work")
    .option("--no-roofline", "fast mode that goes on with tasks as fast as this machine can be")
    .action(async ({ tableEvery, json, quiet, verbose, page, worseRatio, ...flags }: Flags) => {
      const display = new TuneDisplay(process.stdout, {
        tableEvery,
        detail: quiet ? "quiet" : verbose ? "verbose" : "usual",
      });
      const aside = (line: string) => display.aside(line);
      const options = {
        ...flags,
        worseRatio: worseRatio === false ? null : worseRatio,
        ...(verbose ? { onOutput: aside } : {}),
      };
      const run = async (signal: AbortSignal) => {
        const tuner = new Tuner({ ...options, signal });
        for await (const event of page === undefined ? tuner.events() : await onPage(tuner, page)) {
          if (json) {
            console.log(JSON.stringify(event));
          } else {
            display.show(event);
          }
          requireRan(event, options.log);
        }
      };
      try {
        finish(await interruptible(run, () => display.end(), aside));
      } finally {
        display.end();
      }
    });
  example(command, "familyseer tune --model mobilenetv2_0.5 --target native --trials 2000 --log mobilenet.log");
}

/** The job's events, which a page shows too; its address goes where no event does. */
async function onPage(tuner: Tuner, port: number | true): Promise<AsyncIterable<TuneEvent>> {
  const { signal: _signal, ...options } = tuner.options;
  const page = await LivePage.open({ log: options.log, options, port: port === true ? 0 : port });
  console.error(`live page: ${page.address}`);
  return page.following(tuner.events());
}

function portNumber(text: string): number {
  const port = wholeNumber(text);
  if (port > 65_535) {
    throw new InvalidArgumentError("Expected a port, at most 65535.");
  }
  return port;
}

function perMode(option: keyof typeof FAST_DEFAULTS): string {
  return `${TUNE_DEFAULTS[option]}; ${FAST_DEFAULTS[option]} in fast mode`;
}
