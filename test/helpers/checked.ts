import assert from "node:assert/strict";
import type { z } from "zod";
import { type OperationName, operations, type Params, type Result } from "../../src/protocol/operations/index.js";

/** What a stand-in was asked, by the protocol's own schema. */
export function checkedParams<O extends OperationName>(operation: O, params: unknown): Params<O> {
  return checked(`what is asked of ${operation}`, operations[operation].params, params) as Params<O>;
}

/** What a stand-in answers, by the protocol's own schema. */
export function checkedResult<O extends OperationName>(operation: O, result: unknown): Result<O> {
  return checked(`the scripted answer to ${operation}`, operations[operation].result, result) as Result<O>;
}

/** A value that is of a schema, with nothing too much in it; throws what is wrong. */
export function checked<S extends z.ZodType>(what: string, schema: S, value: unknown): z.infer<S> {
  const parsed = schema.parse(value);
  assert.deepEqual(value, parsed, `${what} has more than the protocol says`);
  return parsed;
}
