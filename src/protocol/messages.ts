import { z } from "zod";
import { OPERATION_NAMES } from "./operations/index.js";
import { measuredEvent } from "./operations/measure.js";
import { id } from "./shapes.js";

export const toWorker = z.discriminatedUnion("type", [
  z.object({ type: z.literal("welcome") }),
  z.object({ type: z.literal("refuse"), kind: z.enum(["invalid-request", "error"]), reason: z.string() }),
  z.object({
    type: z.literal("request"),
    id,
    operation: z.enum(OPERATION_NAMES),
    params: z.record(z.string(), z.unknown()),
  }),
  z.object({ type: z.literal("cancel"), id }),
  z.object({ type: z.literal("shutdown") }),
]);
export type ToWorker = z.infer<typeof toWorker>;

export const fromWorker = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("hello"),
    protocol: z.number().int(),
    tvm_version: z.string(),
    python_version: z.string(),
    pid: z.number().int(),
  }),
  z.object({ type: z.literal("result"), id, value: z.record(z.string(), z.unknown()), seconds: z.number() }),
  z.object({ type: z.literal("failure"), id, kind: z.enum(["invalid-request", "error"]), message: z.string() }),
  z.object({ type: z.literal("progress"), id, event: measuredEvent }),
  z.object({ type: z.literal("heartbeat") }),
]);
export type FromWorker = z.infer<typeof fromWorker>;
