import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";

/**
 * Refuses, before anything is built, a network that there is not, and a file that no library can be written to; null:
 * none is to be.
 */
export const check = {
  params: z.object({
    model: z.string(),
    batch: z.number().int(),
    layout: z.string(),
    library: z.string().nullable(),
  }),
  result: z.object({}),
  deadlineMs: MINUTE,
} as const satisfies Operation;
