import { InvalidSearchPolicyError } from "../errors.js";

export const SEARCHES = ["sketch"] as const;
export const COST_MODELS = ["xgb", "random"] as const;
export const FAMILY_ALGORITHMS = ["op", "hash", "ind"] as const;
/** How the next task is chosen: by its gradient, or each in its turn. */
export const STRATEGIES = ["gradient", "round-robin"] as const;

export type CostModelKind = (typeof COST_MODELS)[number];
export type FamilyAlgorithm = (typeof FAMILY_ALGORITHMS)[number];
export type Strategy = (typeof STRATEGIES)[number];

/** A search policy's name taken apart. Without families (`null`) the scheduler is TVM's own. */
export interface SearchPolicy {
  readonly name: string;
  readonly search: (typeof SEARCHES)[number];
  readonly costModel: CostModelKind;
  readonly families: FamilyAlgorithm | null;
}

const DEFAULT_POLICY = "sketch.xgb";
const FAMILY_PREFIX = "family_";

/**
 * Takes `<search>.<model>[.family_<algorithm>]` apart; `default` is `sketch.xgb`.
 *
 * @throws InvalidSearchPolicyError naming the part that is wrong and the names that exist.
 */
export function parseSearchPolicy(name: string): SearchPolicy {
  const parts = (name === "default" ? DEFAULT_POLICY : name).split(".");
  if (parts.length < 2 || parts.length > 3) {
    const count = parts.length === 1 ? "1 part" : `${parts.length} parts`;
    throw invalid(name, `it has ${count}, and a name has two (no families) or three (families)`);
  }
  const [search = "", model = "", familyPart] = parts;
  if (!isOneOf(SEARCHES, search)) {
    throw invalid(name, `its first part, "${search}", is not a search`);
  }
  if (!isOneOf(COST_MODELS, model)) {
    throw invalid(name, `its second part, "${model}", is not a cost model`);
  }
  if (familyPart === undefined) {
    return { name, search, costModel: model, families: null };
  }
  const algorithm = familyPart.slice(FAMILY_PREFIX.length);
  if (!familyPart.startsWith(FAMILY_PREFIX) || !isOneOf(FAMILY_ALGORITHMS, algorithm)) {
    throw invalid(name, `its third part, "${familyPart}", is not a way to form families`);
  }
  return { name, search, costModel: model, families: algorithm };
}

/** Every name {@link parseSearchPolicy} takes, `default` first. */
export function searchPolicyNames(): string[] {
  const families = ["", ...FAMILY_ALGORITHMS.map((algorithm) => `.${FAMILY_PREFIX}${algorithm}`)];
  const names = SEARCHES.flatMap((search) => COST_MODELS.map((model) => `${search}.${model}`));
  return ["default", ...names.flatMap((name) => families.map((family) => name + family))];
}

function isOneOf<const T extends string>(names: readonly T[], name: string): name is T {
  return (names as readonly string[]).includes(name);
}

function invalid(name: string, fault: string): InvalidSearchPolicyError {
  return new InvalidSearchPolicyError(
    `Invalid search policy: ${name}: ${fault}. ` +
      `Expected <search>.<model>[.family_<algorithm>]; the names that exist are ${searchPolicyNames().join(", ")}.`,
  );
}
