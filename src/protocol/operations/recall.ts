import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { count, id } from "../shapes.js";

const wantedFamily = z.object({ name: z.string(), tasks: z.array(id) }).meta({ title: "WantedFamily" });

const recalledFamily = z
  .object({
    name: z.string(),
    /** Of tasks tuned before, to be fitted to these. */
    schedules: count,
    /** Programs that its cost model learns from first; 0: too few to begin with. */
    records: count,
    /** The jobs that found the schedules. */
    jobs: z.array(z.string()),
  })
  .meta({ title: "RecalledFamily" });

/**
 * Reads what earlier jobs left in a folder of the library for tasks alike to those of some families, and keeps it for
 * `register`. Families of which there is nothing are left out. What cannot be read is left out, too, with a notice.
 */
export const recall = {
  params: z.object({
    folder: z.string(),
    /** For what the folder is: files that name anything else are left out. */
    made_for: z.string(),
    families: z.array(wantedFamily),
    /** What these jobs left alone; null: all. */
    jobs: z.array(z.string()).nullable(),
    /** Whether schedules are to be fitted. */
    schedules: z.boolean(),
  }),
  result: z.object({ families: z.array(recalledFamily), notices: z.array(z.string()) }),
  deadlineMs: MINUTE,
} as const satisfies Operation;
