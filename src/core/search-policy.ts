import { InvalidSearchPolicyError } from "../errors.js";
import { TUNER_WORDS, TUNERS, type TunerName } from "../tuner-name.js";

/** How a tuner's searches are called in a policy's name. */
export const SEARCH_OF = { ansor: "sketch", metaschedule: "meta" } as const satisfies Record<TunerName, string>;
export const SEARCHES = Object.values(SEARCH_OF);
export const COST_MODELS = ["xgb", "random"] as const;
export const FAMILY_ALGORITHMS = ["op", "hash", "ind"] as const;
/** How the next task is chosen: by its gradient, or each in its turn. */
export const STRATEGIES = ["gradient", "round-robin"] as const;

export type Search = (typeof SEARCH_OF)[TunerName];
export type CostModelKind = (typeof COST_MODELS)[number];
export type FamilyAlgorithm = (typeof FAMILY_ALGORITHMS)[number];
export type Strategy = (typeof STRATEGIES)[number];

/** A search policy's name taken apart. Without families (`null`) the scheduler is TVM's own. */
export interface SearchPolicy {
  readonly name: string;
  readonly search: Search;
  readonly costModel: CostModelKind;
  readonly families: FamilyAlgorithm | null;
}

const DEFAULT = "default";
const FAMILY_PREFIX = "family_";

/** Whose search it is. */
export function tunerOf({ search }: SearchPolicy): TunerName {
  return search === SEARCH_OF.metaschedule ? "metaschedule" : "ansor";
}

/** A tuner's own way, without families. */
export function plainPolicy(tuner: TunerName): string {
  return `${SEARCH_OF[tuner]}.xgb`;
}

/** What a job with a tuner takes where no policy was asked for. */
export function defaultPolicy(tuner: TunerName): string {
  return `${plainPolicy(tuner)}.${FAMILY_PREFIX}op`;
}

/**
 * Takes `<search>.<model>[.family_<algorithm>]` apart. `default` is the tuner's own way, `sketch.xgb` or `meta.xgb`; without a
 * tuner it is Ansor's, and policies of both are taken.
 *
 * @throws InvalidSearchPolicyError naming the part that is wrong and the names that exist.
 */
export function parseSearchPolicy(name: string, tuner: TunerName | null = null): SearchPolicy {
  const parts = (name === DEFAULT ? plainPolicy(tuner ?? "ansor") : name).split(".");
  if (parts.length < 2 || parts.length > 3) {
    const count = parts.length === 1 ? "1 part" : `${parts.length} parts`;
    throw invalid(name, `it has ${count}, and a name has two (no families) or three (families)`, tuner);
  }
  const [search = "", model = "", familyPart] = parts;
  if (!isOneOf(SEARCHES, search)) {
    throw invalid(name, `its first part, "${search}", is not a search`, tuner);
  }
  if (!isOneOf(COST_MODELS, model)) {
    throw invalid(name, `its second part, "${model}", is not a cost model`, tuner);
  }
  const algorithm = familyPart?.slice(FAMILY_PREFIX.length) ?? null;
  if (algorithm !== null && !(familyPart?.startsWith(FAMILY_PREFIX) && isOneOf(FAMILY_ALGORITHMS, algorithm))) {
    throw invalid(name, `its third part, "${familyPart}", is not a way to form families`, tuner);
  }
  if (tuner !== null && search !== SEARCH_OF[tuner]) {
    const others = TUNERS.filter((each) => SEARCH_OF[each] === search).map((each) => TUNER_WORDS[each]);
    const fault = `its first part, "${search}", is the search of ${others.join()}, and the tuner is ${TUNER_WORDS[tuner]}`;
    throw invalid(name, `${fault} (--tuner)`, tuner);
  }
  return { name, search, costModel: model, families: algorithm };
}

/** Every name {@link parseSearchPolicy} takes, with a tuner or with any, `default` first. */
export function searchPolicyNames(tuner: TunerName | null = null): string[] {
  const families = ["", ...FAMILY_ALGORITHMS.map((algorithm) => `.${FAMILY_PREFIX}${algorithm}`)];
  const searches = tuner === null ? SEARCHES : [SEARCH_OF[tuner]];
  const names = searches.flatMap((search) => COST_MODELS.map((model) => `${search}.${model}`));
  return [DEFAULT, ...names.flatMap((name) => families.map((family) => name + family))];
}

function isOneOf<const T extends string>(names: readonly T[], name: string): name is T {
  return (names as readonly string[]).includes(name);
}

function invalid(name: string, fault: string, tuner: TunerName | null): InvalidSearchPolicyError {
  return new InvalidSearchPolicyError(
    `Invalid search policy: ${name}: ${fault}. ` +
      `Expected <search>.<model>[.family_<algorithm>]; the names that exist are ${searchPolicyNames(tuner).join(", ")}.`,
  );
}
