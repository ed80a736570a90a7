import { z } from "zod";

export const count = z.number().int().min(0);
/** A task by its place in the network, a candidate, a module or a request; counted from 0. */
export const id = z.number().int().min(0);
export const extents = z.array(z.number().int().min(1));
/** Of a tracker. */
export const host = z.string().min(1);
export const port = z.number().int().min(1).max(65535);

export const describedTask = z
  .object({
    workload_key: z.string(),
    structure: z.string(),
    tiled_stage: z.string(),
    weight: z.number(),
    description: z.string(),
    core_operation: z.string().nullable(),
    words: z.string(),
    flops: z.number(),
    similarity_tags: z.array(z.string()),
  })
  .meta({ title: "DescribedTask" });
export type DescribedTask = z.infer<typeof describedTask>;
