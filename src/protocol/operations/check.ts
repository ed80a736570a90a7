import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { runtime } from "./against.js";

/**
 * Refuses, before anything is built, a network that there is not, a file that no library can be written to (null: none is to
 * be), and runtimes to compare with that are not installed or cannot run the network.
 */
export const check = {
  params: z.object({
    model: z.string(),
    batch: z.number().int(),
    layout: z.string(),
    library: z.string().nullable(),
    against: z.array(runtime),
  }),
  result: z.object({}),
  deadlineMs: MINUTE,
} as const satisfies Operation;
