import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { id } from "../shapes.js";

/** What the programs of a round are held against: one another, or programs of the task that were measured earlier. */
export const PAIRS_OF = ["round", "earlier"] as const;
const pairsOf = z.enum(PAIRS_OF).meta({ title: "PairsOf" });
export type PairsOf = (typeof PAIRS_OF)[number];

/**
 * Holds what was measured on a task since the last review against what its family's model says of it. `accuracy`: of the
 * pairs of these programs with those that they are held `against`, the share that the model has in order; null where it
 * knows too little, or there are none. Against earlier programs it is the mean of two shares, of the pairs whose new program
 * is the faster one and of the others, so that a model which puts all that is new on top has half; null where there is but one
 * kind. `of` says which pairs they are: where the task has no earlier program, those of the round.
 */
export const review = {
  params: z.object({ task: id, against: pairsOf }),
  result: z.object({ accuracy: z.number().nullable(), of: pairsOf }),
  // It may wait for a search that goes on.
  deadlineMs: 30 * MINUTE,
} as const satisfies Operation;
