import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { count, id } from "../shapes.js";

const savedModel = z
  .object({
    name: z.string(),
    file: z.string().nullable(),
    records: count,
    tasks: z.array(id),
    sources: z.array(z.string()),
  })
  .meta({ title: "SavedModel" });

/**
 * Writes the cost models into a folder, one file each, and the best schedules as `schedules.json`; with `add` beside those of
 * other workers.
 */
export const save = {
  params: z.object({ folder: z.string(), add: z.boolean() }),
  result: z.object({
    models: z.array(savedModel),
  }),
  deadlineMs: MINUTE,
} as const satisfies Operation;
