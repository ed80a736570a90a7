import { type Capacity, LEAST_ROUND, type RoundSizes, roundSizes } from "../core/fast/round-size.js";
import { counted } from "../counted.js";
import { TUNE_DEFAULTS } from "../options/defaults.js";
import type { SettledTuneOptions } from "../options/tuner-defaults.js";
import type { DeviceSettings } from "../protocol/operations/register.js";
import type { JobHistory } from "../records/job-history.js";
import { isCuda } from "../target.js";
import { type FamilyWorkers, shareOf } from "./family-workers.js";

type Sizes = Pick<RoundSizes, "trialsPerRound" | "foreseeTrials">;

/** Options of a job whose rounds have their sizes. */
export type SizedTuneOptions = SettledTuneOptions & Sizes;

/** A job's options with the sizes of its rounds, and what the user is to be told of these. */
export interface Sized {
  readonly options: SizedTuneOptions;
  /** Programs of a family's first look at most; null: as many as two rounds have. */
  readonly firstLook: number | null;
  readonly notices: readonly string[];
}

/**
 * A new job's sizes: those that are asked for, else, in the fast mode, by what its first worker can build and time at once. On
 * this machine's CPU builders stand still while a program is timed, and so would be kept busy in vain: there rounds are small.
 */
export async function sizedNew(
  workers: FamilyWorkers,
  options: SettledTuneOptions,
  devices: DeviceSettings,
  tasks: number,
): Promise<Sized> {
  if (options.mode !== "fast") {
    return { options: withSizes(options, TUNE_DEFAULTS), firstLook: null, notices: [] };
  }
  if (options.trialsPerRound !== null) {
    return { options: withSizes(options, FOR_GIVEN), firstLook: null, notices: [] };
  }
  const capacity = await capacityOf(workers, options, devices);
  const builders = shareOf(capacity.builders, workers.all.length);
  const { firstLook, ...sizes } = roundSizes({ ...capacity, builders }, options.trials / tasks);
  const { trialsPerRound } = sizes;
  const why = `rounds have ${trialsPerRound} programs, for ${builders} builders and ${counted(capacity.devices, "device")}`;
  return {
    options: withSizes(options, sizes),
    firstLook,
    notices: trialsPerRound > LEAST_ROUND ? [`${why}; --trials-per-round says otherwise`] : [],
  };
}

async function capacityOf(
  workers: FamilyWorkers,
  { parallel, target }: SettledTuneOptions,
  devices: DeviceSettings,
): Promise<Capacity> {
  if (devices.type === "simulated") {
    return { builders: parallel || 1, devices: 1 };
  }
  if (devices.type === "local" && !isCuda(target)) {
    return { builders: 1, devices: 1 };
  }
  return await workers.first.request("capacity", { devices, builders: parallel });
}

/** Options in which the sizes that are not asked for are those that the job began with. */
export function sizedAsBegun(options: SettledTuneOptions, { started }: Pick<JobHistory, "started">): SizedTuneOptions {
  const before = (name: keyof Sizes) => {
    const value = started.options[name];
    return typeof value === "number" ? value : TUNE_DEFAULTS[name];
  };
  return withSizes(options, { trialsPerRound: before("trialsPerRound"), foreseeTrials: before("foreseeTrials") });
}

/** What a foresee round has beside a size of rounds that was asked for. */
const FOR_GIVEN: Sizes = { trialsPerRound: LEAST_ROUND, foreseeTrials: LEAST_ROUND / 2 };

function withSizes(options: SettledTuneOptions, otherwise: Sizes): SizedTuneOptions {
  return {
    ...options,
    trialsPerRound: options.trialsPerRound ?? otherwise.trialsPerRound,
    foreseeTrials: options.foreseeTrials ?? otherwise.foreseeTrials,
  };
}
