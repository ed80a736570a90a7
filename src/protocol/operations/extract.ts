import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { describedTask, extents } from "../shapes.js";

/** Of an input of a network. */
export const DTYPES = [
  "float16",
  "float32",
  "float64",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "bool",
] as const;

/** `dtype` null: the file's own. */
const askedInput = z
  .object({ name: z.string(), shape: extents, dtype: z.enum(DTYPES).meta({ title: "Dtype" }).nullable() })
  .meta({ title: "AskedInput" });

/** An input of a network; a scalar has no extents. */
const describedInput = z
  .object({ name: z.string(), shape: extents, dtype: z.string() })
  .meta({ title: "DescribedInput" });
export type DescribedInput = z.infer<typeof describedInput>;

/**
 * Builds a network, finds its tasks for a target, and keeps both for the other operations, which name a task by its place
 * among them, counted from 0.
 */
export const extract = {
  params: z.object({
    model: z.string(),
    batch: z.number().int(),
    layout: z.string(),
    /** What the user says of the inputs of a file. */
    inputs: z.array(askedInput),
    target: z.string(),
    cache: z.string().nullable(),
  }),
  result: z.object({
    target: z.string(),
    from_cache: z.boolean(),
    /** What TVM warns of about the target, where the worker tried it (`target`), or had when these tasks were found. */
    notices: z.array(z.string()),
    /** All inputs, as the network is compiled for them. */
    inputs: z.array(describedInput),
    tasks: z.array(describedTask),
  }),
  // Finding the tasks of a large network on a slow machine takes minutes.
  deadlineMs: 20 * MINUTE,
} as const satisfies Operation;
