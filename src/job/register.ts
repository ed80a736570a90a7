import { stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { planCostModels } from "../core/cost-models.js";
import type { Families } from "../core/families.js";
import { LEAST_ROUND } from "../core/fast/round-size.js";
import { type SearchPolicy, tunerOf } from "../core/search-policy.js";
import { InvalidRequestError } from "../errors.js";
import { settingsFor } from "../options/wire.js";
import type { Params, Result } from "../protocol/operations/index.js";
import type { DeviceSettings } from "../protocol/operations/register.js";
import { modelIn, schedulesIn } from "../records/paths.js";
import type { Worker } from "../worker/worker.js";
import { type FamilyWorkers, shareOf } from "./family-workers.js";
import type { SizedTuneOptions } from "./round-sizes.js";

/** What workers have to know of a job before its first round. */
export interface Registration {
  readonly options: SizedTuneOptions;
  readonly policy: SearchPolicy;
  readonly families: Families | null;
  /** Their numbers. */
  readonly tasks: readonly number[];
  readonly trialsPerRound: number;
  readonly devices: DeviceSettings;
}

/**
 * Has each worker make the cost models and searches of its families, builders and devices, which it keeps for the job.
 *
 * @returns what is not done as asked, a line each.
 */
export async function register(workers: FamilyWorkers, registration: Registration): Promise<string[]> {
  const models = await costModels(registration);
  const registered = await Promise.all(
    workers.all.map((worker, number) => {
      const own = models.filter(({ tasks }) => tasks.every((task) => workers.numberOf(task) === number));
      return registerAt(worker, registration, own, workers.all.length);
    }),
  );
  return registered.flatMap(({ notices }) => notices);
}

async function registerAt(
  worker: Worker,
  registration: Registration,
  models: Params<"register">["cost_models"],
  workers: number,
): Promise<Result<"register">> {
  const { options, devices } = registration;
  const sharesSchedules = options.mode === "fast" && options.shareSchedules;
  return await worker.request("register", {
    cost_models: models,
    schedules: sharesSchedules && options.loadModels !== null ? await ifThere(schedulesIn(options.loadModels)) : null,
    search: { ...settingsFor("search", options), eps_greedy: 0.05, use_measured_ratio: 0.2 },
    training: settingsFor("training", options),
    measure: {
      devices,
      building: {
        builders: workers === 1 ? options.parallel : shareOf(options.parallel || availableParallelism(), workers),
        ...settingsFor("building", options),
      },
      timing: { ...settingsFor("timing", options), cooldown_interval: 0, enable_cpu_cache_flush: false },
    },
  });
}

async function costModels({ options, policy, families, tasks: all, trialsPerRound }: Registration) {
  const plans = planCostModels(all, families, policy.costModel, trialsPerRound, tunerOf(policy)).map(
    // The first look at a family's first task is enough for a model to be better than none.
    (plan) => (options.mode === "fast" ? { ...plan, warmUpRecords: Math.min(trialsPerRound, LEAST_ROUND) } : plan),
  );
  return await Promise.all(
    plans.map(async ({ name, kind, tasks, warmUpRecords }) => ({
      name,
      kind,
      tasks: [...tasks],
      warm_up_records: warmUpRecords,
      model_file: options.loadModels === null ? null : await modelFile(options.loadModels, name),
    })),
  );
}

async function modelFile(folder: string, name: string): Promise<string | null> {
  const found = await stat(folder).catch(() => null);
  if (!found?.isDirectory()) {
    throw new InvalidRequestError(`There is no folder of cost models ${folder}. Expected one an earlier run saved.`);
  }
  return await ifThere(modelIn(folder, name));
}

async function ifThere(file: string): Promise<string | null> {
  return (await stat(file).catch(() => null)) ? file : null;
}
