import type { Experiment } from "./experiment.js";
import { published } from "./published.js";

/** The experiments by name. */
export const EXPERIMENTS: Readonly<Record<string, Experiment>> = { published };
