import { max, median, min } from "simple-statistics";

/** Prints the median of what was measured, and between what it lies. */
export function printSpread(figure: string, values: readonly number[]): void {
  const [least, middle, most] = [min, median, max].map((of) => of(values).toFixed(3));
  console.log(`${figure}: ${middle} (min ${least}, max ${most})`);
}
