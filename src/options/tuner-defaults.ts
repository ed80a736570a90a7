import { defaultPolicy } from "../core/search-policy.js";
import { type TunerName, tunerNamed } from "../tuner-name.js";
import type { CompleteTuneOptions } from "./defaults.js";

/** The options whose default depends on what searches. */
interface OfTuner {
  readonly searchPolicy: string;
  readonly population: number;
}

/** What a tuner takes where null stands for it; the population as TVM's own search has it. */
export const TUNER_DEFAULTS = {
  ansor: { searchPolicy: defaultPolicy("ansor"), population: 2048 },
  metaschedule: { searchPolicy: defaultPolicy("metaschedule"), population: 512 },
} as const satisfies Record<TunerName, OfTuner>;

/** Options of a job whose tuner is known. */
export type SettledTuneOptions = CompleteTuneOptions & OfTuner;

/** Options with the defaults of a tuner by its name; one of the user's own has Ansor's. */
export function settled(options: CompleteTuneOptions, tuner: string): SettledTuneOptions {
  const defaults = TUNER_DEFAULTS[tunerNamed(tuner) ?? "ansor"];
  const { searchPolicy, population } = options;
  return {
    ...options,
    searchPolicy: searchPolicy ?? defaults.searchPolicy,
    population: population ?? defaults.population,
  };
}
