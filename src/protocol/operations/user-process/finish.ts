import { z } from "zod";
import type { Operation } from "../../operation.js";
import { PATIENCE_MS } from "./patience.js";
import { schedulerState } from "./state.js";

/** The job is done. */
export const finish = {
  params: z.object({
    reason: z.enum(["trials-spent", "all-tasks-dead", "no-improvement"]),
    state: schedulerState.nullable(),
  }),
  result: z.object({}),
  deadlineMs: PATIENCE_MS,
} as const satisfies Operation;
