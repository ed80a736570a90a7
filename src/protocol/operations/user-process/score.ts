import { z } from "zod";
import type { Operation } from "../../operation.js";
import { PATIENCE_MS } from "./patience.js";

/** The objective of each cost vector. */
export const score = {
  params: z.object({ vectors: z.array(z.array(z.number())) }),
  result: z.object({ scores: z.array(z.number()) }),
  deadlineMs: PATIENCE_MS,
} as const satisfies Operation;
