import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { host, port } from "../shapes.js";

/** The GPUs of this machine, or the servers of a tracker, of every key or of one; what state each is in, in words. */
export const devices = {
  params: z.object({ tracker: z.object({ host, port, key: z.string().nullable() }).nullable() }),
  result: z.object({
    devices: z.array(z.object({ name: z.string(), key: z.string().nullable(), state: z.string() })),
  }),
  deadlineMs: MINUTE,
} as const satisfies Operation;
