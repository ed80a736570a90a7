/** One line of TVM's log, or of the records of its database: a program, what it cost, and on what. */
export interface LogRecord {
  readonly workloadKey: string;
  readonly target: string;
  /** Mean cost in seconds; null for a program that failed. */
  readonly cost: number | null;
  /** When it was measured, in seconds since 1970; null where neither the record nor the journal says. */
  readonly timestamp: number | null;
  /** The line as it stands in the file. */
  readonly line: string;
}
