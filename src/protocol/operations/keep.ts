import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";

/**
 * Adds the best schedules of the job, and some of its programs to learn from, to a folder of the library, beside what other jobs
 * left there. What cannot be written is told of in a notice.
 */
export const keep = {
  params: z.object({
    folder: z.string(),
    made_for: z.string(),
    /** What tells the job from others. */
    name: z.string(),
  }),
  result: z.object({ notices: z.array(z.string()) }),
  deadlineMs: MINUTE,
} as const satisfies Operation;
