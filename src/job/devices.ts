import { InvalidRequestError } from "../errors.js";
import type { TuneOptions } from "../options/options.js";
import type { Result } from "../protocol/operations/index.js";
import type { DeviceSettings } from "../protocol/operations/register.js";
import { SIMULATED_TARGET } from "../target.js";
import type { Worker } from "../worker/worker.js";

/**
 * Where a job measures.
 *
 * @throws InvalidRequestError for options that exclude or lack each other.
 */
export function deviceSettings(
  options: Pick<TuneOptions, "gpus" | "tracker" | "deviceKey" | "simulated">,
): DeviceSettings {
  const { gpus, tracker, deviceKey, simulated } = options;
  if (simulated) {
    if (gpus !== undefined || tracker !== undefined || deviceKey !== undefined) {
      throw new InvalidRequestError("A simulated GPU and real devices are both asked for. Expected one of them.");
    }
    return { type: "simulated" };
  }
  if (tracker === undefined && deviceKey === undefined) {
    return gpus === undefined || gpus <= 1 ? { type: "local" } : { type: "servers", count: gpus };
  }
  if (gpus !== undefined) {
    throw new InvalidRequestError("GPUs of this machine and a tracker are both asked for. Expected one of them.");
  }
  if (tracker === undefined || deviceKey === undefined) {
    const missing = tracker === undefined ? "a tracker, host:port" : "the key of its devices";
    throw new InvalidRequestError(
      `Measuring through a tracker needs ${missing}, too. Expected --tracker and --device-key.`,
    );
  }
  return { type: "tracker", ...trackerAddress(tracker), key: deviceKey };
}

/**
 * The target of a simulated job.
 *
 * @throws InvalidRequestError for a target that is not simulated.
 */
export function simulatedTarget(target: string | undefined): string {
  if (target === undefined || ["cuda", "cuda -arch=sm_70", SIMULATED_TARGET].includes(target)) {
    return SIMULATED_TARGET;
  }
  throw new InvalidRequestError(
    `The target ${target} cannot be simulated. Expected cuda: the simulated GPU is a V100.`,
  );
}

/** @throws InvalidRequestError for anything but `host:port`. */
export function trackerAddress(text: string): { host: string; port: number } {
  const [, host, digits] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (host === undefined || port < 1 || port > 65535) {
    throw new InvalidRequestError(`${text} is not the address of a tracker. Expected host:port, e.g. 127.0.0.1:9190.`);
  }
  return { host: host.replace(/^\[(.*)\]$/, "$1"), port };
}

/** The GPUs of this machine, or the servers of a tracker. */
export async function listDevices(
  worker: Worker,
  tracker: string | undefined,
  key: string | undefined,
): Promise<Result<"devices">["devices"]> {
  if (tracker === undefined && key !== undefined) {
    throw new InvalidRequestError("A device key was given without a tracker. Expected --tracker, too.");
  }
  const params = { tracker: tracker === undefined ? null : { ...trackerAddress(tracker), key: key ?? null } };
  return (await worker.request("devices", params)).devices;
}
