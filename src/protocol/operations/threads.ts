import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";

/**
 * How many threads programs on the worker's CPU run on, from now on: as many as are asked for, else as the user told TVM by
 * a variable of the environment, else one for each real core that the worker may use. A worker that was not asked leaves
 * that to TVM.
 */
export const threads = {
  params: z.object({ asked: z.number().int().nullable() }),
  result: z.object({
    count: z.number().int().min(1),
    /** Who says so. */
    by: z.enum(["option", "cores", "TVM_NUM_THREADS", "OMP_NUM_THREADS"]),
    /** The real cores that the worker may use, and the threads that TVM takes by itself. */
    cores: z.number().int().min(1),
    tvm: z.number().int().min(1),
  }),
  deadlineMs: MINUTE,
} as const satisfies Operation;
