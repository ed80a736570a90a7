import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import type { Families } from "../core/families.js";
import { InvalidRequestError } from "../errors.js";
import { packageRoot } from "../worker/installation.js";
import type { Curve } from "./time-to-latency.js";

/** What the paper's authors tuned, one job a file; the README.md above it says what each field means. */
export const PUBLISHED_RUNS = join(packageRoot, "data", "paper", "runs");

/** One published tuning job, on a V100 or a Xeon Silver 4210. */
export interface PublishedRun {
  readonly network: string;
  readonly device: "v100" | "silver4210";
  readonly method: "ansor" | "familyseer";
  readonly target: "cuda" | "llvm";
  /** Seconds the whole tuning took. */
  readonly seconds: number;
  /** The network's latency (ms) in the authors' own final timing. */
  readonly finalMs: number;
  /** Empty where the log does not show them. */
  readonly families: Families;
  readonly rounds: readonly PublishedRound[];
  /** The network compiled with the records so far and timed. It may stop before the tuning does. */
  readonly curve: Curve;
}

/** One round on one task; a foresee round is one of its own. */
export interface PublishedRound {
  readonly task: number;
  /** The network's latency (ms) before the round, as the tuner estimates it; null during the warm-up. */
  readonly estimatedMs: number | null;
  /** Trials before the round, as the tuner counts them: some runs count 64 for a foresee round of 16 programs. */
  readonly trials: number;
  /** Programs really measured before the round. */
  readonly programs: number;
  /** Seconds since the tuning began. */
  readonly elapsed: number;
  readonly searches: readonly PublishedSearch[];
}

/** Seconds of each part of a search, and the programs it measured. */
export interface PublishedSearch {
  readonly sample: number;
  readonly evolve: number;
  readonly measure: number;
  readonly train: number;
  readonly programs: number;
}

const seconds = z.number().nonnegative();
const ms = z.number().positive();
const count = z.int().nonnegative();

const fileSchema = z.object({
  network: z.string(),
  device: z.enum(["v100", "silver4210"]),
  target: z.enum(["cuda", "llvm"]),
  method: z.enum(["ansor", "familyseer"]),
  tuning_s: seconds,
  measured_final_ms: ms,
  families: z.record(z.string(), z.array(count)),
  rounds: z
    .array(
      z.object({
        next: count,
        estimated_ms: ms.nullable(),
        trials: count,
        elapsed_s: seconds,
        searches: z.array(
          z.object({ sample_s: seconds, evolve_s: seconds, programs: count, measure_s: seconds, train_s: seconds }),
        ),
      }),
    )
    .min(1),
  latency_curve_s_ms: z
    .array(z.tuple([seconds, ms]))
    .min(1)
    .refine(
      (curve) => curve.every(([at], index) => at >= (curve[index - 1]?.[0] ?? 0)),
      "the seconds of a curve never go back",
    ),
});

/**
 * Every published run, in the order of the files' names.
 *
 * @throws InvalidRequestError if there is none, or a file is no such run.
 */
export async function readPublishedRuns(folder = PUBLISHED_RUNS): Promise<PublishedRun[]> {
  const names = await readdir(folder).catch(() => []);
  const files = names.filter((name) => name.endsWith(".json")).sort();
  if (files.length === 0) {
    throw new InvalidRequestError(
      `There are no published runs in ${folder}. Expected NETWORK-DEVICE-METHOD.json files; restore data/ of the package.`,
    );
  }
  return Promise.all(files.map((name) => readRun(join(folder, name))));
}

async function readRun(path: string): Promise<PublishedRun> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new InvalidRequestError(`${path} cannot be read as JSON (${String(error)}). Expected a published run.`);
  }
  const parsed = fileSchema.safeParse(content);
  if (!parsed.success) {
    throw new InvalidRequestError(
      `${path} is not a published run:\n${z.prettifyError(parsed.error)}\nExpected what data/paper/README.md says.`,
    );
  }
  const { network, device, method } = parsed.data;
  if (basename(path) !== `${network}-${device}-${method}.json`) {
    throw new InvalidRequestError(`${path} holds ${network} on ${device} by ${method}. Expected it to be named so.`);
  }
  return toRun(parsed.data);
}

function toRun(file: z.infer<typeof fileSchema>): PublishedRun {
  const { network, device, method, target } = file;
  let programs = 0;
  const rounds = file.rounds.map((round) => {
    const before = programs;
    programs += round.searches.reduce((sum, search) => sum + search.programs, 0);
    return {
      task: round.next,
      estimatedMs: round.estimated_ms,
      trials: round.trials,
      programs: before,
      elapsed: round.elapsed_s,
      searches: round.searches.map((search) => ({
        sample: search.sample_s,
        evolve: search.evolve_s,
        measure: search.measure_s,
        train: search.train_s,
        programs: search.programs,
      })),
    };
  });
  return {
    network,
    device,
    method,
    target,
    seconds: file.tuning_s,
    finalMs: file.measured_final_ms,
    families: new Map(Object.entries(file.families)),
    rounds,
    curve: file.latency_curve_s_ms,
  };
}
