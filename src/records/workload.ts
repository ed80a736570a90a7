import { z } from "zod";

const workloadSchema = z.tuple([z.string()]).rest(z.unknown());
const shapeSchema = z.array(z.number());
/** What TVM calls a computation that has no name: a digest of its text, or, of MetaSchedule's, a hash of its structure. */
const DIGEST = /^([0-9a-f]{32}|\d{10,20})$/;
const DIGEST_SHOWN = 8;

/** What a workload key says: a function's name, or the digest of a computation, and what it was called with. */
export interface Workload {
  readonly name: string;
  /** The shapes of its tensors, inputs first; null where its arguments are something else. */
  readonly tensors: readonly (readonly number[])[] | null;
}

/** Null for a key that TVM did not write. */
export function parseWorkload(key: string): Workload | null {
  let content: unknown;
  try {
    content = JSON.parse(key);
  } catch {
    return null;
  }
  const parsed = workloadSchema.safeParse(content);
  if (!parsed.success) {
    return null;
  }
  const [name, ...rest] = parsed.data;
  const tensors = z.array(shapeSchema).safeParse(rest);
  return { name, tensors: tensors.success && rest.length > 0 ? tensors.data : null };
}

/** A workload for people, as far as its key alone says what it is. No journal and no TVM is asked. */
export function describeWorkload(key: string): string {
  const workload = parseWorkload(key);
  if (workload === null) {
    return key;
  }
  const { name, tensors } = workload;
  const called = DIGEST.test(name) ? `computation ${name.slice(0, DIGEST_SHOWN)}` : name;
  if (tensors === null) {
    const [, ...rest] = JSON.parse(key);
    return `${called} (${rest.map((each: unknown) => (typeof each === "string" ? each : JSON.stringify(each))).join(", ")})`;
  }
  return `${called} of ${tensors.map((shape) => shape.join("x") || "scalar").join(", ")}`;
}
