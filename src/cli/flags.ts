import { type Command, InvalidArgumentError, Option, type OptionValues } from "@commander-js/extra-typings";
import { InvalidRequestError } from "../errors.js";
import { type AnyEntries, type Entry, GROUPS } from "../options/entry.js";
import type { TuneOptions } from "../options/options.js";
import { type AllOptions, OPTIONS, type OptionName } from "../options/table.js";
import { oneOf } from "./near-misses.js";

/** What a command says of an option otherwise than `tune`. */
interface Differently {
  readonly group?: keyof typeof GROUPS;
  readonly help?: string;
  readonly default?: string | number;
}

/** What commander gives for options: required ones and those with a default that the help shows are always there. */
type Flagged<Name extends OptionName> = {
  readonly [Each in Name as IsThere<Each> extends true ? Each : never]: Exclude<AllOptions[Each], undefined>;
} & {
  readonly [Each in Name as IsThere<Each> extends true ? never : Each]?: Exclude<AllOptions[Each], undefined>;
};

type IsThere<Name extends OptionName> = (typeof OPTIONS)[Name] extends
  | { readonly required: true }
  | { readonly default: string | number; readonly inFast?: never }
  ? true
  : false;

/** Gives a command the flags of some options. */
export function withOptions<Name extends OptionName, Args extends unknown[], Flags extends OptionValues>(
  command: Command<Args, Flags>,
  names: readonly Name[],
  differently?: Differently,
): Command<Args, Flags & Flagged<Name>> {
  return withFlags(
    command,
    names.flatMap((name) => flagsOf(name, OPTIONS[name], differently)),
  );
}

/** Gives a command the flags of all options. */
export function withAllOptions<Args extends unknown[], Flags extends OptionValues>(
  command: Command<Args, Flags>,
  entries: AnyEntries = OPTIONS,
): Command<Args, Flags & Flagged<OptionName>> {
  return withFlags(
    command,
    Object.entries(entries).flatMap(([name, entry]) => flagsOf(name, entry)),
  );
}

function withFlags<Args extends unknown[], Before extends OptionValues, After extends OptionValues>(
  command: Command<Args, Before>,
  flags: readonly Option[],
): Command<Args, After> {
  for (const flag of flags) {
    command.addOption(flag);
  }
  return command as unknown as Command<Args, After>;
}

/** The flags of an option, which has one, none or, where it can be turned off by itself, two. */
function flagsOf(name: string, entry: Entry<unknown>, differently: Differently = {}): Option[] {
  if (entry.flag === undefined) {
    return [];
  }
  const { flag, choices, off } = entry;
  const { help, default: value, group = entry.group } = differently;
  const [usual, inFast] = [entry.default, entry.inFast].map((each) => JSON.stringify(each));
  // Null is what the machine or the tuner has.
  const ofFast = inFast === "null" ? "by builders and devices in fast mode" : `${inFast} in fast mode`;
  const perMode = inFast === undefined || value !== undefined ? "" : ` (default: ${usual}; ${ofFast})`;
  const option = new Option(flag, help ?? `${entry.help}${perMode}`);
  option.makeOptionMandatory(entry.required === true);
  if (choices) {
    const words = choices.map(String);
    option.choices(words).argParser(oneOf(words));
  }
  const parse = entry.parse ?? entry.add;
  if (parse) {
    option.argParser(argument(parse));
  }
  const shown = value ?? (perMode === "" ? entry.default : undefined);
  if (typeof shown === "string" || typeof shown === "number") {
    option.default(shown);
  }
  const flags = off ? [option, new Option(off.flag, off.help)] : [option];
  for (const each of flags) {
    each.helpGroup(GROUPS[group]).attributeName = () => name;
  }
  return flags;
}

/** The options that flags ask for: what turns one off by itself has a value of its own. */
export function optionsFrom(flags: object, entries: AnyEntries = OPTIONS): TuneOptions {
  const values = Object.entries(flags).map(([name, value]) => {
    const entry = entries[name];
    return [name, value === false && entry?.flag !== undefined && entry.off ? entry.off.value : value] as const;
  });
  return Object.fromEntries(values) as unknown as TuneOptions;
}

/** A parser of an option's value as commander takes it: what is wrong with a value is said of its flag. */
export function argument<Rest extends unknown[], T>(
  parse: (text: string, ...rest: Rest) => T,
): (text: string, ...rest: Rest) => T {
  return (text, ...rest) => {
    try {
      return parse(text, ...rest);
    } catch (error) {
      throw error instanceof InvalidRequestError ? new InvalidArgumentError(error.message) : error;
    }
  };
}
