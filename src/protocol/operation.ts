import type { z } from "zod";

/** One thing that a worker can be asked for: a file of its own in `operations/`, and a line in the index there. */
export interface Operation {
  readonly params: z.ZodObject;
  readonly result: z.ZodObject;
  /** How long its answer is waited for. */
  readonly deadlineMs: number;
}

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const DAY = 24 * 60 * MINUTE;
