/** A network takes `ms` milliseconds from `seconds` of tuning on, until the next point of its curve. */
export type Point = readonly [seconds: number, ms: number];

/** A network's latency over a tuning, in the order of time; undefined, that is infinite, before the first point. */
export type Curve = readonly Point[];

/** The curve of the best network so far: timing the network anew, or a worse program taken for a better, never counts against it. */
export function bestSoFar(curve: Curve): Curve {
  let best = Number.POSITIVE_INFINITY;
  return curve.map(([seconds, ms]) => {
    best = Math.min(best, ms);
    return [seconds, best];
  });
}

/** The last latency (ms). */
export function endOf(curve: Curve): number {
  return curve.at(-1)?.[1] ?? Number.POSITIVE_INFINITY;
}

/** The latency (ms) that is so many per cent above a curve's end. */
export function within(curve: Curve, perCent: number): number {
  return endOf(curve) * (1 + perCent / 100);
}

/** The latency (ms) at which so many per cent of the whole decrease from a curve's first point to its end are done. */
export function afterDecrease(curve: Curve, perCent: number): number {
  const first = curve[0]?.[1] ?? Number.POSITIVE_INFINITY;
  return first - (perCent / 100) * (first - endOf(curve));
}

/** Seconds until the latency (ms) is reached for the first time; null: never. */
export function secondsTo(curve: Curve, latency: number): number | null {
  return curve.find(([, ms]) => ms <= latency)?.[0] ?? null;
}

/** Seconds from which on the latency (ms) is never exceeded again; null: at the curve's end it is. */
export function secondsToForGood(curve: Curve, latency: number): number | null {
  const lastAbove = curve.findLastIndex(([, ms]) => ms > latency);
  return curve[lastAbove + 1]?.[0] ?? null;
}

/** Seconds `reference` needs to reach a latency (ms) for the first time over those `curve` needs; null: one of them never does. */
export function speedUp(curve: Curve, reference: Curve, latency: number): number | null {
  const [ours, theirs] = [secondsTo(curve, latency), secondsTo(reference, latency)];
  return ours === null || theirs === null ? null : theirs / ours;
}

/** Which latency two curves are timed to: near the best that the reference ends with, or some way towards it. */
export const GOALS: Readonly<Record<string, (reference: Curve) => number>> = {
  "within 5 %": (reference) => within(reference, 5),
  "within 1 %": (reference) => within(reference, 1),
  "within 0 %": (reference) => within(reference, 0),
  "80 % of decrease": (reference) => afterDecrease(reference, 80),
  "90 % of decrease": (reference) => afterDecrease(reference, 90),
};

/** By goal: what `reference` needs over what `curve` needs, each with its best so far; null: one never gets there. */
export function speedUps(curve: Curve, reference: Curve): Record<string, number | null> {
  const [ours, theirs] = [bestSoFar(curve), bestSoFar(reference)];
  const ratios = Object.entries(GOALS).map(([goal, latency]) => [goal, speedUp(ours, theirs, latency(theirs))]);
  return Object.fromEntries(ratios);
}
