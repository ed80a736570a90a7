import { z } from "zod";
import type { Operation } from "../../operation.js";
import { id } from "../../shapes.js";
import { PATIENCE_MS } from "./patience.js";

/** Makes the search policies, with a cost model for each family; called once, before the first round. */
export const begin = {
  params: z.object({
    families: z.record(z.string(), z.array(id)).nullable(),
    /** What to make of each family, a name of two parts; null where the policies are ready-made. */
    search_policy: z.string().nullable(),
    trials_per_round: z.number().int().min(1),
    /** Best cost after each round so far, per task, in seconds. */
    histories: z.array(z.array(z.number())),
  }),
  result: z.object({}),
  deadlineMs: PATIENCE_MS,
} as const satisfies Operation;
