#!/usr/bin/env node
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { type MetaScenario, replay, replayMeta, type Scenario, type Trace } from "../core/reference/conformance.js";
import { SCHEDULER_DEFAULTS } from "../core/reference/options.js";
import { FamilySeerError, InvalidRequestError } from "../errors.js";

/**
 * Replays recorded jobs of the reference schedulers through the real core:
 * `npm run -s conformance -- FILE|FOLDER...`, all of {@link RECORDED} where none is named. It needs no TVM.
 */

/** From the repository's root, where npm runs. */
const RECORDED = ["test/conformance", "test/conformance/metaschedule"];

const traceSchema = z.object({
  calls: z.array(z.tuple([z.number(), z.number(), z.number()])),
  error: z.string().nullable(),
  ties: z.number(),
  trials: z.number(),
  task_cts: z.array(z.number()),
  task_best_cts: z.array(z.number()),
  dead_tasks: z.array(z.number()),
  best_costs: z.array(z.number()),
  score: z.number(),
  families: z.record(z.string(), z.array(z.number())).nullish(),
});

/** MetaSchedule's schedulers tell less, and raise no errors. */
const metaTraceSchema = traceSchema.omit({ ties: true, task_best_cts: true, families: true });

const fileSchema = z.object({
  scenario: z.object({
    tasks: z
      .array(
        z.object({
          desc: z.string(),
          workload_key: z.string(),
          flop_ct: z.number(),
          tags: z.array(z.string()),
          weight: z.number(),
        }),
      )
      .min(1),
    num_measure_trials: z.number(),
    num_measures_per_round: z.number(),
    strategy: z.enum(["gradient", "round-robin"]),
    search_policy: z.string(),
    early_stopping: z.number().nullable(),
    per_task_early_stopping: z.number().nullable(),
    rounds: z.array(z.array(z.array(z.number()))),
    // Of MetaSchedule alone.
    max_trials_per_task: z.number().nullable().default(null),
    alpha: z.number().default(SCHEDULER_DEFAULTS.alpha),
    window_size: z.number().default(SCHEDULER_DEFAULTS.backwardWindow),
    seed: z.number().default(0),
  }),
  familyseer: traceSchema.optional(),
  ansor: traceSchema.optional(),
  metaschedule: metaTraceSchema.optional(),
});

type Recorded = z.infer<typeof fileSchema>;
type RecordedTrace = z.infer<typeof metaTraceSchema> & Partial<z.infer<typeof traceSchema>>;
/** What a replay tells; of MetaSchedule, less. */
type Replayed = Pick<Trace, "calls" | "trials" | "rounds" | "deadTasks" | "bestCosts" | "score"> & Partial<Trace>;

const REFERENCES = ["familyseer", "ansor", "metaschedule"] as const;
type Reference = (typeof REFERENCES)[number];

/** The search policy `ansor` traces were recorded with, whatever the scenario's own. */
const ANSOR_POLICY = "sketch.xgb";

async function main(paths: readonly string[]): Promise<number> {
  const tally = { familyseer: { agree: 0, of: 0 }, ansor: { agree: 0, of: 0 }, metaschedule: { agree: 0, of: 0 } };
  for (const file of await traceFiles(paths.length > 0 ? paths : RECORDED)) {
    const traces = await readTraces(file);
    for (const reference of REFERENCES) {
      const recorded = traces[reference];
      if (!recorded) {
        continue;
      }
      const difference = firstDifference(recorded, await replayed(reference, traces.scenario));
      tally[reference].of += 1;
      if (difference === null) {
        tally[reference].agree += 1;
      } else {
        console.log(`${file}: ${reference}: ${difference}`);
      }
    }
  }
  const found = REFERENCES.filter((reference) => tally[reference].of > 0);
  console.log(found.map((each) => `${each}: ${tally[each].agree} of ${tally[each].of} agree`).join(", "));
  return found.every((each) => tally[each].agree === tally[each].of) ? 0 : 1;
}

async function replayed(reference: Reference, scenario: Recorded["scenario"]): Promise<Replayed> {
  switch (reference) {
    case "familyseer":
      return await replay({ ...toScenario(scenario), giveUpUnmeasured: false });
    case "ansor":
      return await replay({ ...toScenario(scenario), searchPolicy: ANSOR_POLICY });
    case "metaschedule":
      return await replayMeta(toMetaScenario(scenario));
  }
}

async function traceFiles(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    const found = await stat(path).catch(() => null);
    if (!found) {
      throw new InvalidRequestError(`No such file or folder: ${path}. Expected recorded traces (*.json).`);
    }
    if (found.isDirectory()) {
      const names = (await readdir(path)).filter((name) => name.endsWith(".json")).sort();
      files.push(...names.map((name) => join(path, name)));
    } else {
      files.push(path);
    }
  }
  if (files.length === 0) {
    throw new InvalidRequestError(`No trace in ${paths.join(", ")}. Expected files ending in .json.`);
  }
  return files;
}

async function readTraces(file: string): Promise<Recorded> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new InvalidRequestError(`${file} cannot be read as JSON: ${String(error)}`);
  }
  const parsed = fileSchema.safeParse(content);
  if (!parsed.success) {
    throw new InvalidRequestError(`${file} is not a trace:\n${z.prettifyError(parsed.error)}`);
  }
  return parsed.data;
}

function toScenario(recorded: Recorded["scenario"]): Scenario {
  return {
    tasks: recorded.tasks.map((task) => ({
      description: task.desc,
      workloadKey: task.workload_key,
      // The hash of the compute DAG: `["<32 hex digits>", shape, ...]`.
      structure: task.workload_key.slice(2, 34),
      weight: task.weight,
      flops: task.flop_ct,
      coreOperation: null,
      similarityTags: task.tags,
    })),
    trials: recorded.num_measure_trials,
    trialsPerRound: recorded.num_measures_per_round,
    strategy: recorded.strategy,
    searchPolicy: recorded.search_policy,
    // TVM writes "never" as a negative number.
    earlyStopping: recorded.early_stopping !== null && recorded.early_stopping < 0 ? null : recorded.early_stopping,
    taskEarlyStopping: recorded.per_task_early_stopping,
    giveUpUnmeasured: true,
    rounds: recorded.rounds,
  };
}

function toMetaScenario(recorded: Recorded["scenario"]): MetaScenario {
  const { tasks, trials, trialsPerRound, strategy, rounds } = toScenario(recorded);
  const { max_trials_per_task: trialsPerTask, alpha, window_size: backwardWindow, seed } = recorded;
  return { tasks, trials, trialsPerTask, trialsPerRound, strategy, alpha, backwardWindow, seed, rounds };
}

/** What differs first, in the order it would be noticed; null if nothing does. */
function firstDifference(recorded: RecordedTrace, ours: Replayed): string | null {
  const error = ours.error ?? null;
  if ((recorded.error === null) !== (error === null)) {
    return `recorded error ${JSON.stringify(recorded.error)}, ours ${JSON.stringify(error)}`;
  }
  if (recorded.error !== null) {
    return null;
  }
  for (let round = 0; round < Math.max(recorded.calls.length, ours.calls.length); round += 1) {
    const [theirs, mine] = [recorded.calls[round], ours.calls[round]];
    if (!isDeepStrictEqual(theirs, mine)) {
      return `round ${round}: recorded ${describeCall(theirs)}, ours ${describeCall(mine)}`;
    }
  }
  const atEnd: [string, unknown, unknown][] = [
    ["ties", recorded.ties, ours.ties],
    ["trials", recorded.trials, ours.trials],
    ["task_cts", recorded.task_cts, ours.rounds],
    ["task_best_cts", recorded.task_best_cts, ours.bestRounds],
    ["dead_tasks", [...recorded.dead_tasks].sort((a, b) => a - b), ours.deadTasks],
    ["best_costs", recorded.best_costs, ours.bestCosts],
    ["score", recorded.score, ours.score],
  ];
  if (recorded.families && ours.families) {
    atEnd.push(["families", recorded.families, ours.families]);
  }
  const different = atEnd.find(([, theirs, mine]) => !isDeepStrictEqual(theirs, mine));
  return different
    ? `${different[0]}: recorded ${JSON.stringify(different[1])}, ours ${JSON.stringify(different[2])}`
    : null;
}

function describeCall(call: readonly [number, number, number] | undefined): string {
  return call ? `task ${call[0]} for ${call[1]} programs (${call[2]} measured)` : "the end";
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof FamilySeerError ? error.message : error);
    process.exitCode = 2;
  },
);
