import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { id } from "../shapes.js";

/** What the family's model expects a task's best schedules to gain in each sibling, as a share of its throughput. */
export const foresee = {
  params: z.object({ task: id, siblings: z.array(id).min(1) }),
  result: z.object({ gains: z.array(z.number()) }),
  deadlineMs: 5 * MINUTE,
} as const satisfies Operation;
