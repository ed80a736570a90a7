import { z } from "zod";
import { type Operation, SECOND } from "../operation.js";

/** Answers at once; what a round trip costs. */
export const ping = {
  params: z.object({}),
  result: z.object({}),
  deadlineMs: 10 * SECOND,
} as const satisfies Operation;
