import { defaultPolicy, parseSearchPolicy, type SearchPolicy } from "../core/search-policy.js";
import type { CompleteTuneOptions } from "../options/defaults.js";
import { tunerNamed } from "../tuner-name.js";

/** Options with the search policy that a job with a tuner has: the one asked for, or the tuner's default. */
export function withPolicy(
  options: CompleteTuneOptions,
  tuner: string,
): CompleteTuneOptions & { readonly searchPolicy: string } {
  const { searchPolicy } = options;
  return { ...options, searchPolicy: searchPolicy ?? defaultPolicy(tunerNamed(tuner) ?? "ansor") };
}

/**
 * The policy of a job with a tuner, taken apart. With a tuner of the user's own it may be any.
 *
 * @throws InvalidSearchPolicyError for a name that is none, or the policy of another tuner.
 */
export function policyOf({ searchPolicy }: { readonly searchPolicy: string }, tuner: string): SearchPolicy {
  return parseSearchPolicy(searchPolicy, tunerNamed(tuner) ?? null);
}

/** @throws InvalidSearchPolicyError for options that no tuner, or not the one asked for, has a policy for. */
export function checkPolicy({ searchPolicy, tuner }: CompleteTuneOptions): void {
  if (searchPolicy !== null) {
    parseSearchPolicy(searchPolicy, tuner ?? null);
  }
}
