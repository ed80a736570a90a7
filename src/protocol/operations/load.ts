import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { count, id } from "../shapes.js";
import { skippedLines } from "../skip-reasons.js";

/**
 * Reads the records of a log, or of the bytes `from` to `to` of it, that are of the extracted tasks and target, and keeps
 * them for `register` and `compile`. Gives the task and cost of each, oldest first, and what was skipped and why.
 */
export const load = {
  params: z.object({
    log: z.string(),
    from: count,
    /** Null: to its end. */
    to: count.nullable(),
    /** Take records that were measured for other targets, too. */
    other_targets: z.boolean(),
    /** Take records of these tasks alone; null: of all. */
    only: z.array(id).min(1).nullable(),
  }),
  result: z.object({
    tasks: z.array(id),
    costs: z.array(z.number().nullable()),
    skipped: z.array(skippedLines),
    /** How many of the records another TVM version wrote, which names tasks otherwise. */
    matched: count,
  }),
  // A hundred thousand records take minutes: TVM replays each.
  deadlineMs: 60 * MINUTE,
} as const satisfies Operation;
