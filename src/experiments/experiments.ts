import { devices } from "./devices.js";
import type { Experiment } from "./experiment.js";
import { familyAlgorithms } from "./family-algorithms.js";
import { familyModels } from "./family-models.js";
import { finalLatency } from "./final-latency.js";
import { foresee } from "./foresee.js";
import { published } from "./published.js";
import { searchTime } from "./search-time.js";
import { training } from "./training.js";

/** The experiments by name. */
export const EXPERIMENTS: Readonly<Record<string, Experiment>> = {
  published,
  "search-time": searchTime,
  "final-latency": finalLatency,
  "family-models": familyModels,
  "family-algorithms": familyAlgorithms,
  foresee,
  devices,
  training: training,
};
