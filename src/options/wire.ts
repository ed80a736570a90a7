import type { AnyEntries, Settings } from "./entry.js";
import { OPTIONS } from "./table.js";
import type { SettledTuneOptions } from "./tuner-defaults.js";

/** The fields of each part that options fill. */
type Filled = {
  readonly [Part in keyof Settings]: {
    readonly [Name in keyof typeof OPTIONS as (typeof OPTIONS)[Name] extends {
      readonly wire: readonly [Part, infer Field extends string];
    }
      ? Field
      : never]: SettledTuneOptions[Name];
  };
};

/** What options say to a worker in a part of `register`; the part's other fields are the job's to fill. */
export function settingsFor<Part extends keyof Settings>(
  part: Part,
  options: SettledTuneOptions,
  entries: AnyEntries = OPTIONS,
): Filled[Part] {
  const values: Readonly<Record<string, unknown>> = { ...options };
  const fields = Object.entries(entries).flatMap(([name, { wire }]) =>
    wire?.[0] === part ? [[wire[1], values[name]] as const] : [],
  );
  return Object.fromEntries(fields) as Filled[Part];
}
