import type { z } from "zod";
import type { Chart } from "../report/figure.js";
import type { TunerName } from "../tuner-name.js";

export const SCALES = ["small", "paper"] as const;
export type Scale = (typeof SCALES)[number];

/** `simulated` is a GPU by an analytic model (docs/simulated-gpu.md): for schedulers' experiments where there is no GPU. */
export const DEVICES = ["cpu", "cuda", "simulated"] as const;
export type Device = (typeof DEVICES)[number];

/** What an experiment is done on. */
export interface Settings {
  readonly scale: Scale;
  readonly device: Device;
  /** What searches. */
  readonly tuner: TunerName;
  /** Null: those of the scale. */
  readonly networks: readonly string[] | null;
  readonly seeds: readonly number[] | null;
  readonly tvmPython?: string | undefined;
}

/** A part of an experiment that takes time. Equal runs of several experiments are done once. */
export interface Run<R = unknown> {
  /** In words, for people. */
  readonly name: string;
  /** What it will take, about. */
  readonly seconds: number;
  /** All that its result depends on; JSON. */
  readonly identity: object;
  readonly result: z.ZodType<R>;
  /** @param folder an empty one of its own */
  perform(folder: string, signal: AbortSignal): Promise<R>;
}

/** The result of a run that is done. */
export type Results = <R>(run: Run<R>) => R;

/** An experiment's runs, and what follows from their results. */
export interface Plan {
  readonly runs: readonly Run[];
  conclude(results: Results): Conclusion;
}

export type Row = Readonly<Record<string, string | number | null>>;

export interface Conclusion {
  /** `data.json`, and what `--json` prints. */
  readonly data: object;
  /** `data.csv`; all rows have the keys of the first. */
  readonly rows: readonly Row[];
  /** The same for people. */
  readonly text: string;
  /** By file name. */
  readonly figures: Readonly<Record<string, Chart>>;
}

/** What `familyseer experiment NAME` does. */
export interface Experiment {
  readonly title: string;
  /** For the list of experiments: what it shows, and where in the paper that stands. */
  readonly description: string;
  /** Where it makes a difference, and so can be chosen; none: it is the same everywhere. */
  readonly devices: readonly Device[];
  /** Whether it can be done with MetaSchedule; else it is of Ansor by its nature, or of neither. */
  readonly withMetaSchedule?: true;
  /** @throws InvalidRequestError for settings that it cannot be done with. */
  plan(settings: Settings): Promise<Plan>;
}
