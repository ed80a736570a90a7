import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { id } from "../shapes.js";

/** Begins to build candidates that will be measured later; answers at once. */
export const prepare = {
  params: z.object({ task: id, candidates: z.array(id) }),
  result: z.object({}),
  deadlineMs: MINUTE,
} as const satisfies Operation;
