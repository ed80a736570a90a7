import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";
import { id } from "../shapes.js";

/**
 * Writes a compiled network with its weights as a library that plain TVM loads: a shared one (`.so`), or one of object
 * files that are linked where it is loaded (`.tar`). The file appears whole or not at all.
 */
export const exportLibrary = {
  params: z.object({ module: id, library: z.string() }),
  result: z.object({}),
  deadlineMs: 30 * MINUTE,
} as const satisfies Operation;
