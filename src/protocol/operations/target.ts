import { z } from "zod";
import { MINUTE, type Operation } from "../operation.js";

/**
 * Tries a target: compiles a program for it, and, where its programs are to run `here`, runs it. `notices`: what TVM warns
 * of; `lack`: why its programs cannot be built, or run here. What LLVM does not know is an invalid request.
 */
export const target = {
  params: z.object({ target: z.string(), measures: z.enum(["here", "elsewhere", "nowhere"]) }),
  result: z.object({ notices: z.array(z.string()), lack: z.string().nullable() }),
  // The worker gives up after two minutes.
  deadlineMs: 3 * MINUTE,
} as const satisfies Operation;
