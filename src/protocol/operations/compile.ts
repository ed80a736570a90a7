import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { id } from "../shapes.js";

/** Compiles the extracted network: untuned, or with the best of the loaded records for each task. */
export const compile = {
  params: z.object({ tuned: z.boolean() }),
  /** `executor`: TVM's graph executor, or its virtual machine for networks with control flow or open shapes. */
  result: z.object({ module: id, executor: z.enum(["graph", "vm"]) }),
  deadlineMs: 30 * MINUTE,
} as const satisfies Operation;
