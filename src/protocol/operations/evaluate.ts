import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { count, id } from "../shapes.js";

/** Times a compiled network; seconds per run. */
export const evaluate = {
  params: z.object({ module: id, repeat: z.number().int().min(1), min_repeat_ms: count }),
  result: z.object({ seconds: z.array(z.number()) }),
  deadlineMs: 30 * MINUTE,
} as const satisfies Operation;
