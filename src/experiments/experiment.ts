/** What `familyseer experiment NAME` does. */
export interface Experiment {
  /** For the help: what it shows. */
  readonly description: string;
  run(): Promise<ExperimentResult>;
}

export interface ExperimentResult {
  /** What `--json` prints. */
  readonly data: object;
  /** The same for people. */
  readonly text: string;
}
