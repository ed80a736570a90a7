import { comparison, entriesOf } from "./compare.js";
import type { Experiment } from "./experiment.js";

const TITLE = "How families are formed";

export const familyAlgorithms: Experiment = {
  title: TITLE,
  description: "families by core operation, by the hash of what is computed, and each task its own (section 4.1)",
  devices: ["cpu", "cuda", "simulated"],
  withMetaSchedule: true,
  async plan(settings) {
    const methods = ["Ansor", "FamilySeer", "families by hash", "each task a family"] as const;
    return comparison(TITLE, "Ansor", entriesOf(methods, settings), settings);
  },
};
