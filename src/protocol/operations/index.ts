import type { z } from "zod";
import { against } from "./against.js";
import { bounds } from "./bounds.js";
import { capacity } from "./capacity.js";
import { check } from "./check.js";
import { compare } from "./compare.js";
import { compile } from "./compile.js";
import { devices } from "./devices.js";
import { evaluate } from "./evaluate.js";
import { exportLibrary } from "./export.js";
import { extract } from "./extract.js";
import { foresee } from "./foresee.js";
import { gpus } from "./gpus.js";
import { keep } from "./keep.js";
import { learn } from "./learn.js";
import { load } from "./load.js";
import { measure } from "./measure.js";
import { ping } from "./ping.js";
import { prepare } from "./prepare.js";
import { propose } from "./propose.js";
import { recall } from "./recall.js";
import { register } from "./register.js";
import { review } from "./review.js";
import { save } from "./save.js";
import { target } from "./target.js";
import { threads } from "./threads.js";
import { userProcessOperations } from "./user-process/index.js";
import { workloads } from "./workloads.js";

/** What our worker answers. */
export const workerOperations = {
  ping,
  target,
  gpus,
  threads,
  check,
  extract,
  bounds,
  load,
  capacity,
  recall,
  register,
  workloads,
  propose,
  prepare,
  measure,
  review,
  learn,
  foresee,
  save,
  keep,
  devices,
  compile,
  against,
  compare,
  export: exportLibrary,
  evaluate,
} as const;

/** Every operation that a worker can be asked for. */
export const operations = { ...workerOperations, ...userProcessOperations } as const;

export type OperationName = keyof typeof operations;
export type Params<O extends OperationName> = z.infer<(typeof operations)[O]["params"]>;
export type Result<O extends OperationName> = z.infer<(typeof operations)[O]["result"]>;

export const OPERATION_NAMES = Object.keys(operations) as [OperationName, ...OperationName[]];
