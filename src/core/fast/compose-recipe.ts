import { evolutionFor } from "./evolutions.js";
import type { FamilyOutlook } from "./family-outlook.js";
import type { CompleteFastOptions } from "./options.js";
import { noPrograms, type Origin, type Recipe } from "./recipe.js";

/** A recipe with so many programs of some origins, its evolution as large as the family's model is worth. */
export function composeRecipe(
  { adaptivePopulation, judgeByEarlier, evolutions, population, generations, draft }: CompleteFastOptions,
  family: FamilyOutlook,
  donors: readonly number[],
  programs: Partial<Record<Origin, number>>,
): Recipe {
  const accuracy = judgeByEarlier ? family.lastingAccuracy : family.accuracy;
  const evolution = adaptivePopulation ? evolutionFor(evolutions, accuracy) : { population, generations };
  return { programs: { ...noPrograms(), ...programs }, donors, ...evolution, draft };
}
