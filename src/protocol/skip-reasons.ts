import { z } from "zod";

/**
 * Why a line of a log is left out, and how a person is told: `2 that are no records`. In the place of `{}` comes what the line
 * says.
 */
export const SKIP_REASONS = {
  "no-record": "that are no records",
  "record-version": "of the record version {}",
  "impossible-time": "with a time that cannot be",
  "cannot-replay": "that TVM cannot replay",
  "no-workload": "of workloads that are missing",
  "other-task": "of other tasks",
  "other-target": "for the target {}",
  "other-device": "for the target {}, another kind of device",
} as const;
export type SkipReason = keyof typeof SKIP_REASONS;

/** Lines of a log that were left out for one reason. */
export const skippedLines = z
  .object({
    reason: z.enum(Object.keys(SKIP_REASONS) as [SkipReason, ...SkipReason[]]).meta({ title: "SkipReason" }),
    /** What the lines say: the version or the target; null where that says nothing more. */
    of: z.string().nullable(),
    count: z.number().int().min(0),
    /** The first of their numbers, counted from 1. */
    lines: z.array(z.number().int().min(1)),
  })
  .meta({ title: "Skipped" });
export type Skipped = z.infer<typeof skippedLines>;
