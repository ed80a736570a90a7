import { SKIP_REASONS, type Skipped, type SkipReason } from "../protocol/skip-reasons.js";

/** Why a line of a log cannot be used. */
export interface Unusable {
  readonly reason: SkipReason;
  /** What the line says of it, where the reason is told with that. */
  readonly of: string | null;
}

/** Of each reason so many line numbers are told. */
const LINES_TOLD = 10;

/** Counts the lines that are left out of a log. */
export class SkippedLines {
  readonly #skipped = new Map<string, Skipped>();

  add({ reason, of }: Unusable, line: number): void {
    const key = `${reason} ${of}`;
    const alike = this.#skipped.get(key) ?? { reason, of, count: 0, lines: [] };
    this.#skipped.set(key, alike);
    alike.count += 1;
    if (alike.lines.length < LINES_TOLD) {
      alike.lines.push(line);
    }
  }

  get all(): Skipped[] {
    return [...this.#skipped.values()];
  }
}

/** E.g. `2 of other tasks`. */
export function inWords({ reason, of, count }: Skipped): string {
  return `${count} ${SKIP_REASONS[reason].replace("{}", () => of ?? "")}`;
}

/** One notice on all that was left out of a log; none if nothing was. */
export function describeSkipped(log: string, skipped: readonly Skipped[]): string[] {
  if (skipped.length === 0) {
    return [];
  }
  const total = skipped.reduce((sum, { count }) => sum + count, 0);
  const parts = skipped.map((each) => {
    const more = each.count > each.lines.length ? ", ..." : "";
    return `${inWords(each)} (line ${each.lines.join(", ")}${more})`;
  });
  return [`${total} ${total === 1 ? "line" : "lines"} of ${log} skipped: ${parts.join("; ")}`];
}
