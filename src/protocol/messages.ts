import { z } from "zod";
import { OPERATION_NAMES } from "./operations/index.js";
import { measuredEvent } from "./operations/measure.js";
import { id } from "./shapes.js";

const errorKind = z.enum(["invalid-request", "error"]).meta({ title: "ErrorKind" });

export const toWorker = z.discriminatedUnion("type", [
  z.object({ type: z.literal("welcome") }).meta({ title: "Welcome" }),
  z.object({ type: z.literal("refuse"), kind: errorKind, reason: z.string() }).meta({ title: "Refuse" }),
  z
    .object({
      type: z.literal("request"),
      id,
      operation: z.enum(OPERATION_NAMES).meta({ title: "OperationName" }),
      params: z.record(z.string(), z.unknown()),
    })
    .meta({ title: "Request" }),
  z.object({ type: z.literal("cancel"), id }).meta({ title: "Cancel" }),
  z.object({ type: z.literal("shutdown") }).meta({ title: "Shutdown" }),
]);
export type ToWorker = z.infer<typeof toWorker>;

export const fromWorker = z.discriminatedUnion("type", [
  z
    .object({
      type: z.literal("hello"),
      protocol: z.number().int(),
      tvm_version: z.string(),
      tuner: z.string(),
      python_version: z.string(),
      pid: z.number().int(),
    })
    .meta({ title: "Hello" }),
  z
    .object({ type: z.literal("result"), id, value: z.record(z.string(), z.unknown()), seconds: z.number() })
    .meta({ title: "Result" }),
  z.object({ type: z.literal("failure"), id, kind: errorKind, message: z.string() }).meta({ title: "Failure" }),
  z.object({ type: z.literal("progress"), id, event: measuredEvent }).meta({ title: "Progress" }),
  z.object({ type: z.literal("heartbeat") }).meta({ title: "Heartbeat" }),
]);
export type FromWorker = z.infer<typeof fromWorker>;
