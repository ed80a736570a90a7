import { parseSearchPolicy, type SearchPolicy } from "../core/search-policy.js";
import type { CompleteTuneOptions } from "../options/defaults.js";
import type { SettledTuneOptions } from "../options/tuner-defaults.js";
import { tunerNamed } from "../tuner-name.js";

/**
 * The policy of a job with a tuner, taken apart. With a tuner of the user's own it may be any.
 *
 * @throws InvalidSearchPolicyError for a name that is none, or the policy of another tuner.
 */
export function policyOf({ searchPolicy }: SettledTuneOptions, tuner: string): SearchPolicy {
  return parseSearchPolicy(searchPolicy, tunerNamed(tuner) ?? null);
}

/** @throws InvalidSearchPolicyError for options that no tuner, or not the one asked for, has a policy for. */
export function checkPolicy({ searchPolicy, tuner }: CompleteTuneOptions): void {
  if (searchPolicy !== null) {
    parseSearchPolicy(searchPolicy, tuner ?? null);
  }
}
