import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { count } from "../shapes.js";
import { deviceSettings } from "./register.js";

/**
 * How many programs are built at once, and on how many devices they are timed, where `register` is to be asked for these
 * devices and builders. 0 builders: as many as there are CPUs. 0 devices: a tracker has none now.
 */
export const capacity = {
  params: z.object({ devices: deviceSettings, builders: count }),
  result: z.object({ builders: z.number().int().min(1), devices: count }),
  deadlineMs: MINUTE,
} as const satisfies Operation;
