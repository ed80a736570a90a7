import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { count, id } from "../shapes.js";

/** Times a module; seconds per run, and those that other jobs' turns to time took before. */
export const evaluate = {
  params: z.object({ module: id, repeat: z.number().int().min(1), min_repeat_ms: count }),
  result: z.object({ seconds: z.array(z.number()), waited: z.number() }),
  deadlineMs: 30 * MINUTE,
} as const satisfies Operation;
