import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { id } from "../shapes.js";

/**
 * Holds what was measured on a task since the last review against what its family's model says of it. `accuracy`: the share
 * of the pairs of these programs that the model has in order; null where it knows too little.
 */
export const review = {
  params: z.object({ task: id }),
  result: z.object({ accuracy: z.number().nullable() }),
  // It may wait for a search that goes on.
  deadlineMs: 30 * MINUTE,
} as const satisfies Operation;
