import { z } from "zod";
import { LIMITS, PROTOCOL_VERSION } from "./limits.js";
import { fromWorker, toWorker } from "./messages.js";
import { operations } from "./operations/index.js";

/** The whole protocol as JSON Schema (draft 7), for workers in other languages. */
export function protocolSchema(): Record<string, unknown> {
  return {
    version: PROTOCOL_VERSION,
    limits: LIMITS,
    to_worker: schemaOf(toWorker),
    from_worker: schemaOf(fromWorker),
    operations: Object.fromEntries(
      Object.entries(operations).map(([name, { params, result }]) => [
        name,
        { params: schemaOf(params), result: schemaOf(result) },
      ]),
    ),
  };
}

function schemaOf(schema: z.ZodType): unknown {
  return z.toJSONSchema(schema, { target: "draft-7" });
}
