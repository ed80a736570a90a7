import { z } from "zod";
import type { Operation } from "../../operation.js";
import { id } from "../../shapes.js";
import { PATIENCE_MS } from "./patience.js";
import { schedulerState } from "./state.js";

/** One round with the task's search policy, `pre_tune` callbacks before it; one cost for each program measured. */
export const search = {
  params: z.object({
    task: id,
    programs: z.number().int().min(1),
    reason: z.string(),
    state: schedulerState.nullable(),
  }),
  result: z.object({ costs: z.array(z.number().nullable()) }),
  deadlineMs: PATIENCE_MS,
} as const satisfies Operation;
