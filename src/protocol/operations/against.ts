import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { id } from "../shapes.js";

/** Other runtimes that a network can be timed in, beside TVM. */
export const RUNTIMES = ["onnxruntime"] as const;

export const runtime = z.enum(RUNTIMES);
export type Runtime = z.infer<typeof runtime>;

/**
 * Has the extracted network, with the weights that `compile` gives it, in another runtime: in a process of its own, on as many
 * threads. `module` is timed and compared as a compiled one is.
 */
export const against = {
  params: z.object({ runtime, model: z.string(), batch: z.number().int(), layout: z.string() }),
  result: z.object({ module: id, version: z.string() }),
  deadlineMs: 30 * MINUTE,
} as const satisfies Operation;
