import type { DeviceShare, OriginShare, Program } from "./events.js";

/** Of each kind of failure, how many programs. */
export function countFailures(measured: readonly Program[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { failure } of measured) {
    if (failure !== null) {
      counts[failure] = (counts[failure] ?? 0) + 1;
    }
  }
  return counts;
}

/** What each device did, by its name. */
export function deviceShares(measured: readonly Program[]): Record<string, DeviceShare> {
  const shares: Record<string, DeviceShare> = {};
  for (const { device, cost, timingSeconds } of measured) {
    if (device !== null) {
      const before = shares[device] ?? { programs: 0, failures: 0, seconds: 0 };
      shares[device] = {
        programs: before.programs + 1,
        failures: before.failures + (cost === null ? 1 : 0),
        seconds: before.seconds + timingSeconds,
      };
    }
  }
  return shares;
}

/** Of each origin, how many programs it gave, and the best cost among them in seconds. */
export function bestByOrigin(measured: readonly Program[]): Record<string, OriginShare> {
  const shares: Record<string, OriginShare> = {};
  for (const { origin, cost } of measured) {
    const before = shares[origin] ?? { programs: 0, best: null };
    const best = cost === null ? before.best : Math.min(cost, before.best ?? cost);
    shares[origin] = { programs: before.programs + 1, best };
  }
  return shares;
}

/** The first message there is, else the first kind of failure: what took too long has no message. */
export function firstError(measured: readonly Program[]): string | null {
  const told = measured.find((each) => each.message !== null);
  return told?.message ?? measured.find((each) => each.failure !== null)?.failure ?? null;
}
