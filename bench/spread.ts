/** Prints the median of what was measured, and between what it lies. */
export function printSpread(figure: string, values: readonly number[]): void {
  const sorted = [...values].sort((a, b) => a - b);
  const [least, median, most] = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
  console.log(`${figure}: ${median?.toFixed(3)} (min ${least?.toFixed(3)}, max ${most?.toFixed(3)})`);
}
