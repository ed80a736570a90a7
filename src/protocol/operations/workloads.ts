import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { count } from "../shapes.js";

const named = z
  .object({
    /** Those that the file of workloads lacks, to be added to it in this order, without their ends. */
    lines: z.array(z.string()),
    /** How many lines it has with them. */
    count,
    /** Of each task the number of its line there, from 0, as records name it. */
    numbers: z.array(count),
    /** The target as records have it: JSON. */
    target: z.string(),
  })
  .meta({ title: "Workloads" });
export type Workloads = z.infer<typeof named>;

/**
 * How the records of a log name the tasks, where that is by the numbers of lines in a file of workloads beside it, and what
 * that file lacks of them; null where a record says all itself. To be asked before `measure`.
 */
export const workloads = {
  params: z.object({ log: z.string() }),
  result: z.object({ workloads: named.nullable() }),
  deadlineMs: MINUTE,
} as const satisfies Operation;
