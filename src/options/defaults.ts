import type { AnyEntries } from "./entry.js";
import type { TuneOptions } from "./options.js";
import { type AllOptions, OPTIONS } from "./table.js";

type Having<Key extends string> = {
  [Name in keyof typeof OPTIONS]: (typeof OPTIONS)[Name] extends Readonly<Record<Key, unknown>> ? Name : never;
}[keyof typeof OPTIONS];

type Values<Key extends string> = {
  readonly [Name in Having<Key>]: (typeof OPTIONS)[Name] extends Readonly<Record<Key, infer Value>> ? Value : never;
};

/** What the reference mode takes where nothing is given; the fast mode too, but for {@link FAST_DEFAULTS}. */
export const TUNE_DEFAULTS = valuesOf("default", OPTIONS) as Values<"default">;

/** What the fast mode takes otherwise. */
export const FAST_DEFAULTS = valuesOf("inFast", OPTIONS) as Values<"inFast">;

/** Every option that was given or has a default, whatever the mode. */
export type CompleteTuneOptions = AllOptions & Required<Pick<AllOptions, keyof typeof TUNE_DEFAULTS>>;

/** Options with the defaults of their mode. What is given as undefined counts as not given. */
export function complete({ means, ...options }: TuneOptions): CompleteTuneOptions {
  const given = { ...withoutUndefined(means ?? {}), ...withoutUndefined(options) };
  const { mode = TUNE_DEFAULTS.mode } = given;
  return { ...TUNE_DEFAULTS, ...(mode === "fast" ? FAST_DEFAULTS : {}), ...given };
}

/** By the names of the entries that have it. */
export function valuesOf(key: "default" | "inFast", entries: AnyEntries): Record<string, unknown> {
  const all = Object.entries(entries).map(([name, entry]) => [name, entry[key]] as const);
  return Object.fromEntries(all.filter(([, value]) => value !== undefined));
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
