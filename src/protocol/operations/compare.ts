import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { id } from "../shapes.js";

/**
 * Runs two modules on the same inputs: the largest absolute difference of their outputs, and the largest absolute number among
 * the first one's. Both are null where the outputs differ in number or shape, or in which numbers are finite.
 */
export const compare = {
  params: z.object({ module: id, other: id }),
  result: z.object({ difference: z.number().nullable(), largest: z.number().nullable() }),
  deadlineMs: 30 * MINUTE,
} as const satisfies Operation;
