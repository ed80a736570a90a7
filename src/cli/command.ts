import type { Command, CommandUnknownOpts, OptionValues } from "@commander-js/extra-typings";
import { GROUPS } from "../options/entry.js";
import * as parsers from "../options/parsers.js";
import { argument, withOptions } from "./flags.js";

/** How every command ends: the exit code that the entry point exits with. */
export type Finish = (code: number) => void;

export const wholeNumber = argument(parsers.wholeNumber);
export const wholeNumbers = argument(parsers.wholeNumbers);

/** The options that every command which starts a worker has. */
export function withWorkerOptions<Args extends unknown[], Flags extends OptionValues>(command: Command<Args, Flags>) {
  return withOptions(command.optionsGroup(GROUPS.connection), ["tvmPython", "tuner", "channel", "endpoint", "keys"]);
}

export const EXPORT_HELP =
  "also write the tuned network, weights included, as a library that plain TVM loads: FILE.so, or FILE.tar, which is " +
  "linked where it is loaded";

/** How a command says where a library went. */
export function exported(file: string): string {
  return `The tuned network is in ${file}.`;
}

/** The options that name a network and a target. */
export function withNetworkOptions<Args extends unknown[], Flags extends OptionValues>(command: Command<Args, Flags>) {
  const named = withOptions(command, ["model", "target", "batch", "inputs", "layout"]);
  return named.optionsGroup(GROUPS.usual).helpOption("-h, --help", "display help for command");
}

export function example(command: CommandUnknownOpts, text: string): void {
  command.addHelpText("after", `\nExample:\n  $ ${text}`);
}
