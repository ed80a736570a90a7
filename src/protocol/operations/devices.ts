import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { host, port } from "../shapes.js";

const trackerQuestion = z.object({ host, port, key: z.string().nullable() }).meta({ title: "TrackerQuestion" });

const foundDevice = z
  .object({ name: z.string(), key: z.string().nullable(), state: z.string() })
  .meta({ title: "FoundDevice" });

/** The GPUs of this machine, or the servers of a tracker, of every key or of one; what state each is in, in words. */
export const devices = {
  params: z.object({ tracker: trackerQuestion.nullable() }),
  result: z.object({
    devices: z.array(foundDevice),
  }),
  deadlineMs: MINUTE,
} as const satisfies Operation;
