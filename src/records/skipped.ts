/** Lines of a log that were left out, why, and the first of their numbers, counted from 1. */
export interface Skipped {
  readonly reason: string;
  readonly count: number;
  readonly lines: readonly number[];
}

/** Of each reason so many line numbers are told. */
const LINES_TOLD = 10;

/** Counts the lines that are left out of a log. */
export class SkippedLines {
  readonly #lines = new Map<string, { count: number; readonly lines: number[] }>();

  add(reason: string, line: number): void {
    const of = this.#lines.get(reason) ?? { count: 0, lines: [] };
    of.count += 1;
    if (of.lines.length < LINES_TOLD) {
      of.lines.push(line);
    }
    this.#lines.set(reason, of);
  }

  get all(): Skipped[] {
    return [...this.#lines].map(([reason, of]) => ({ reason, ...of }));
  }
}

/** One notice on all that was left out of a log; none if nothing was. */
export function describeSkipped(log: string, skipped: readonly Skipped[]): string[] {
  if (skipped.length === 0) {
    return [];
  }
  const total = skipped.reduce((sum, { count }) => sum + count, 0);
  const parts = skipped.map(({ reason, count, lines }) => {
    const more = count > lines.length ? ", ..." : "";
    return `${count} ${reason} (line ${lines.join(", ")}${more})`;
  });
  return [`${total} ${total === 1 ? "line" : "lines"} of ${log} skipped: ${parts.join("; ")}`];
}
