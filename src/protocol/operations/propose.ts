import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { count, id } from "../shapes.js";

/** What candidates are to be made of; programs of each origin. */
const recipe = z.object({
  programs: z.object({ sibling: count, descent: count, evolution: count, random: count }),
  /** Tasks whose best schedules are fitted to this one's shapes, the most alike first. */
  donors: z.array(id),
  population: z.number().int().min(1),
  generations: count,
  /** Random programs that an analytic estimate finds slow are left out. */
  draft: z.boolean(),
});

/**
 * Searches for candidates on a task, by evolution as TVM does or by a recipe; fewer than asked for, or none, where the
 * search space is exhausted. `refusal`: why TVM can lower none, where that is the reason.
 */
export const propose = {
  params: z.object({ task: id, programs: z.number().int().min(1), recipe: recipe.nullable() }),
  result: z.object({ candidates: z.array(id), refusal: z.string().nullable() }),
  deadlineMs: 30 * MINUTE,
} as const satisfies Operation;
