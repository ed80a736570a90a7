import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { id } from "../shapes.js";

/** Compiles the extracted network: untuned, or with the best of the loaded records for each task. */
export const compile = {
  params: z.object({ tuned: z.boolean() }),
  /** `notices`: what the user is to be told of how it was built. */
  result: z.object({ module: id, notices: z.array(z.string()) }),
  deadlineMs: 30 * MINUTE,
} as const satisfies Operation;
