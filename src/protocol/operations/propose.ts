import { z } from "zod";
import { ORIGINS, type Origin, type Recipe } from "../../core/fast/recipe.js";
import { MINUTE, type Operation } from "../operation.js";
import { count, id } from "../shapes.js";

/** A {@link Recipe}, field by field. */
const recipe = z
  .object({
    programs: z
      .object(Object.fromEntries(ORIGINS.map((origin) => [origin, count])) as Record<Origin, typeof count>)
      .meta({ title: "ProgramsOfOrigins" }),
    donors: z.array(id),
    population: z.number().int().min(1),
    generations: count,
    draft: z.boolean(),
  })
  .meta({ title: "Recipe" }) satisfies z.ZodType<Recipe>;

/**
 * Searches for candidates on a task, by evolution as TVM does or by a recipe; fewer than asked for, or none, where the
 * search space is exhausted. `refusal`: why TVM can lower none, where that is the reason.
 */
export const propose = {
  params: z.object({ task: id, programs: z.number().int().min(1), recipe: recipe.nullable() }),
  result: z.object({ candidates: z.array(id), refusal: z.string().nullable() }),
  deadlineMs: 30 * MINUTE,
} as const satisfies Operation;
