import type { Params } from "../protocol/operations/index.js";

/** The headings that flags have in a command's help, in their order there. */
export const GROUPS = {
  required: "Required:",
  usual: "Usual:",
  search: "Search:",
  measuring: "Measuring:",
  devices: "Devices:",
  connection: "Connection:",
  experiments: "Experiments:",
} as const;

/** The parts of what `register` sends that options fill, field by field. */
export interface Settings {
  readonly search: Params<"register">["search"];
  readonly training: Params<"register">["training"];
  readonly building: Params<"register">["measure"]["building"];
  readonly timing: Params<"register">["measure"]["timing"];
}

type Place = { [Part in keyof Settings]: readonly [Part, keyof Settings[Part]] }[keyof Settings];

interface Meaning<T> {
  /** The reference mode's default, and the fast mode's where `inFast` is left out. Without one the option may be absent. */
  readonly default?: T;
  readonly inFast?: T;
  /** Whether decisions or records depend on it, so that a job which goes on must have it as it was. */
  readonly decides: boolean;
  /** What jobs were decided by before there was the option, where that is not the default: with it their journals go on. */
  readonly before?: T;
  /** A list whose order says nothing. */
  readonly anyOrder?: true;
  /** Kept for a reference's sake; nothing depends on it. */
  readonly withoutEffect?: true;
  /** What the journal has for it, where that is not the value; undefined: nothing. */
  journaled?(this: void, value: T | undefined): unknown;
  /** Where the worker is told of it, where that is the value alone. */
  readonly wire?: Place;
}

interface OnCommandLine<T> {
  /** As commander reads it: `--seed <n>`, or `--no-draft` for what is done otherwise. */
  readonly flag: string;
  readonly help: string;
  readonly group: keyof typeof GROUPS;
  readonly required?: true;
  /** The value is one of these, or what `parse` makes of the text, or the text. */
  readonly choices?: readonly T[];
  parse?(this: void, text: string): T;
  /** The flag may be given several times: what it gives now, after what it has given. */
  add?(this: void, text: string, before: T | undefined): T;
  /** A flag of its own for one more value. */
  readonly off?: { readonly flag: `--no-${string}`; readonly help: string; readonly value: T };
}

/** All there is to an option, whose value is a `T`. One without a flag is for callers from Node alone. */
export type Entry<T> = Meaning<T> & (OnCommandLine<T> | { readonly flag?: never });

/** Entries by the names of options, whatever their values. */
export type AnyEntries = Readonly<Record<string, Entry<unknown>>>;

/** An entry for each property of an interface, whose doc comments say what the option means. */
export type Entries<Options> = {
  readonly [Name in keyof Options]-?: Entry<Exclude<Options[Name], undefined>>;
};
