import { parseSearchPolicy, tunerOf } from "../core/search-policy.js";
import { isCuda } from "../target.js";
import { type CompleteTuneOptions, TUNE_DEFAULTS } from "./defaults.js";
import type { AnyEntries } from "./entry.js";
import type { TuneMode } from "./options.js";
import { OF_FAST, OF_REFERENCE } from "./table.js";

/**
 * Whether the search goes on while devices measure. On this machine's CPU it would spoil the timing; beside a simulation, which
 * takes no time, it wins something in other processes only.
 */
export function overlaps({ overlap, target, simulated, workers }: CompleteTuneOptions): boolean {
  return overlap ?? (isCuda(target) && (simulated !== true || workers > 1));
}

/**
 * What was asked for and has no say in the mode that was asked for, in a user's words. Where no `tuner` is known, the policy
 * `default` is Ansor's.
 */
export function withoutEffect(options: CompleteTuneOptions): string[] {
  return [...withoutEffectOnSpeed(options), ...withoutEffectInMode(options), ...withoutEffectByPolicy(options)];
}

function withoutEffectOnSpeed(options: CompleteTuneOptions): string[] {
  return options.workers > 1 && !overlaps(options)
    ? ["workers has no effect where nothing is searched while a round is measured; --overlap does that."]
    : [];
}

/** By mode: what the other alone decides by, and what to say of it. */
const OF_OTHER_MODE: Readonly<Record<TuneMode, readonly [AnyEntries, string]>> = {
  fast: [OF_REFERENCE, "has no effect in fast mode; --mode reference decides by it."],
  reference: [OF_FAST, "is a flag of the fast mode; the reference mode is without it anyway."],
};

function withoutEffectInMode(options: CompleteTuneOptions): string[] {
  const given: Readonly<Record<string, unknown>> = { ...options };
  const defaults: Readonly<Record<string, unknown>> = TUNE_DEFAULTS;
  const [entries, words] = OF_OTHER_MODE[options.mode];
  const set = Object.entries(entries).filter(([name, entry]) => !entry.withoutEffect && given[name] !== defaults[name]);
  return set.map(([name]) => `${name} ${words}`);
}

/** The schedulers of the reference mode differ in what they decide by. */
function withoutEffectByPolicy({ mode, searchPolicy, tuner, beta, trialsPerTask }: CompleteTuneOptions): string[] {
  if (mode !== "reference" || searchPolicy === null) {
    return [];
  }
  const policy = parseSearchPolicy(searchPolicy, tuner ?? null);
  const ofMetaSchedule = tunerOf(policy) === "metaschedule" && policy.families === null;
  const unused = ofMetaSchedule
    ? { beta: beta !== TUNE_DEFAULTS.beta }
    : { trialsPerTask: trialsPerTask !== TUNE_DEFAULTS.trialsPerTask };
  return Object.entries(unused)
    .filter(([, given]) => given)
    .map(([name]) => `${name} has no effect with the search policy ${searchPolicy}, whose scheduler does not know it.`);
}
