/** Numbers as the page words them. */

export function ms(seconds: number | null | undefined): string {
  return seconds === null || seconds === undefined ? "-" : (seconds * 1000).toFixed(seconds < 0.001 ? 4 : 3);
}

export function duration(seconds: number): string {
  if (seconds < 100) {
    return `${seconds.toFixed(1)} s`;
  }
  const minutes = Math.floor(seconds / 60);
  return minutes < 100 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${(seconds / 3600).toFixed(1)} h`;
}

export function programs(trials: number, failures: number): string {
  return failures > 0 ? `${trials} (${failures} failed)` : String(trials);
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}\u00a0%`;
}
