import { z } from "zod";
import type { Operation } from "../../operation.js";
import { id } from "../../shapes.js";
import { PATIENCE_MS } from "./patience.js";

/** A number from 0 to `count - 1`, from the generator TVM's scheduler draws from. */
export const draw = {
  params: z.object({ count: z.number().int().min(1) }),
  result: z.object({ drawn: id }),
  deadlineMs: PATIENCE_MS,
} as const satisfies Operation;
