import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { count, id } from "../shapes.js";

/** Trains the cost model of the task's family on what was reviewed of the task since. */
export const learn = {
  params: z.object({ task: id }),
  result: z.object({ records: count }),
  deadlineMs: 30 * MINUTE,
} as const satisfies Operation;
