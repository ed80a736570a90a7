import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { count } from "../shapes.js";

/** How many CUDA GPUs the worker's TVM can use; 0 where it was built without CUDA. */
export const gpus = {
  params: z.object({}),
  result: z.object({ gpus: count }),
  deadlineMs: MINUTE,
} as const satisfies Operation;
