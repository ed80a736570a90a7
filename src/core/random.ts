import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** Draws an index from 0 to `count - 1`; `count` is at least 1. */
export type Draw = (count: number) => number | Promise<number>;

/** The one generator a run's draws come from: the same seed draws the same. */
export function seededDraw(seed: number): (count: number) => number {
  const generator = xoroshiro128plus(seed);
  return (count) => uniformInt(generator, 0, count - 1);
}
