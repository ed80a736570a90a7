import { z } from "zod";
import { ORIGINS } from "../../core/fast/recipe.js";
import { MINUTE, type Operation } from "../operation.js";
import { count, id } from "../shapes.js";

/** How a program can fail. */
export const FAILURE_KINDS = [
  "instantiation",
  "compile-host",
  "compile-device",
  "runtime",
  "wrong-answer",
  "build-timeout",
  "run-timeout",
  "unknown",
] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

/**
 * A program that was built and run, or failed; sent while `measure` goes on. Costs and times are in seconds. `device` is
 * where it ran, for `timing_seconds`; null if it never did. `origin` is where it came from. It was timed `timings` times; in
 * the timing that counts its threads waited `waited` seconds, for each second, for CPUs that other work had (null: not known),
 * by which it is `disturbed` or not.
 */
export const measuredEvent = z
  .object({
    type: z.literal("measured"),
    record: z.string(),
    cost: z.number().nullable(),
    failure: z.enum(FAILURE_KINDS).meta({ title: "FailureKind" }).nullable(),
    message: z.string().nullable(),
    device: z.string().nullable(),
    origin: z.enum(ORIGINS).meta({ title: "Origin" }),
    seconds: z.number(),
    timing_seconds: z.number(),
    waited: z.number().min(0).nullable(),
    disturbed: z.boolean(),
    timings: count,
  })
  .meta({ title: "MeasuredEvent" });
export type MeasuredEvent = z.infer<typeof measuredEvent>;

/**
 * Builds and runs candidates; a `measured` event for each. A cancelled one ends with what is done. Notices tell of
 * devices that were lost, came back or differ in speed.
 */
export const measure = {
  params: z.object({ task: id, candidates: z.array(id) }),
  result: z.object({ measured: count, notices: z.array(z.string()) }),
  // Of no candidate: the worker waits two minutes for devices that are away before it gives up and says so.
  deadlineMs: 4 * MINUTE,
} as const satisfies Operation;

/** The deadline for candidates whose building and running may take `secondsEach`, one after another. */
export function measureDeadlineMs(candidates: number, secondsEach: number): number {
  return measure.deadlineMs + candidates * secondsEach * 1000;
}
