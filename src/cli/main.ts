import { setImmediate } from "node:timers/promises";
import { type Command, Help } from "@commander-js/extra-typings";
import { InvalidRequestError } from "../errors.js";
import { packageVersion } from "../worker/installation.js";
import { addBest } from "./best.js";
import type { Finish } from "./command.js";
import { addDevices } from "./devices.js";
import { addDoctor } from "./doctor.js";
import { addEvaluate } from "./evaluate.js";
import { EXIT, exitCodeOf } from "./exit-code.js";
import { addExperiment } from "./experiment.js";
import { addFamilies } from "./families.js";
import { addKeys } from "./keys.js";
import { ForgivingCommand } from "./near-misses.js";
import { addPatch } from "./patch.js";
import { addReport } from "./report.js";
import { addSetup } from "./setup.js";
import { addTasks } from "./tasks.js";
import { addTune } from "./tune.js";
import { addTuneNetwork } from "./tune-network.js";

/** The commands by the headings they have in the help. */
const COMMANDS: readonly [heading: string, additions: readonly ((program: Command, finish: Finish) => void)[]][] = [
  ["Installation and help:", [addSetup, addDoctor]],
  ["Networks:", [addTasks, addFamilies]],
  ["Tuning:", [addTune, addTuneNetwork]],
  ["Results:", [addBest, addReport, addEvaluate]],
  ["Devices and other hosts:", [addDevices, addKeys]],
  ["Research:", [addExperiment, addPatch]],
];

const WHEN_SOMETHING_FAILS = `
When something fails:
  familyseer doctor  checks every part of the installation and says what to do
  LOG.journal.jsonl  beside the log: every decision and every failure, with why
  docs/              reliability.md, networks.md, devices.md, cuda.md: by topic`;

/** Runs the command line and returns its exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  let code: number = EXIT.done;
  const finish = (result: number) => {
    code = result;
  };
  const output = watchOutput();
  const program = new ForgivingCommand("familyseer")
    .description("FamilySeer for Apache TVM: tune networks with families of tasks")
    .version(packageVersion())
    .exitOverride()
    .configureHelp({
      sortSubcommands: false,
      optionDescription: (option) => `${new Help().optionDescription(option)}${option.mandatory ? " (required)" : ""}`,
    })
    .addHelpText("afterAll", WHEN_SOMETHING_FAILS)
    .hook("preAction", requireCurrentFolder);
  for (const [heading, additions] of COMMANDS) {
    program.commandsGroup(heading);
    for (const add of additions) {
      add(program, finish);
    }
  }
  program.commandsGroup(COMMANDS[0]?.[0] ?? "").helpCommand(true);
  for (const command of program.commands) {
    command.exitOverride();
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    code = exitCodeOf(error);
  }
  return (await output.isWhole()) ? code : EXIT.failed;
}

/**
 * Keeps a stream that can take no more from ending this process, with a trace, before its work has ended. That a reader has
 * all it wants, as `head`, is no failure; that what is printed is lost, as on a full disk, is one.
 */
function watchOutput(): { readonly isWhole: () => Promise<boolean> } {
  let lost = false;
  process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
    if (code !== "EPIPE" && !lost) {
      lost = true;
      console.error(
        `familyseer: What is printed cannot be written to standard output (${code}). Send it where there is room for it.`,
      );
    }
  });
  process.stderr.on("error", () => undefined);
  return {
    isWhole: async () => {
      await new Promise<void>((written) => process.stdout.write("", () => written()));
      // What has failed is told after it is done.
      await setImmediate();
      return !lost;
    },
  };
}

/** No process can be started from a folder that was removed. */
function requireCurrentFolder(): void {
  try {
    process.cwd();
  } catch {
    throw new InvalidRequestError("The current folder was removed. Go to one that is there, and try again.");
  }
}
