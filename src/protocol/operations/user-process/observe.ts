import { z } from "zod";
import type { Operation } from "../../operation.js";
import { id } from "../../shapes.js";
import { PATIENCE_MS } from "./patience.js";
import { schedulerState } from "./state.js";

/** What the round just done led to; `post_tune` callbacks after it. */
export const observe = {
  params: z.object({ task: id, state: schedulerState.nullable() }),
  result: z.object({}),
  deadlineMs: PATIENCE_MS,
} as const satisfies Operation;
