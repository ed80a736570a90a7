import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";

/**
 * A bound on each task's cost from below, in seconds, by what this machine's CPU computes and moves at most; null where
 * the target is not this CPU. Takes a second in which nothing else may run.
 */
export const bounds = {
  params: z.object({}),
  result: z.object({ least_costs: z.array(z.number()).nullable() }),
  deadlineMs: 5 * MINUTE,
} as const satisfies Operation;
