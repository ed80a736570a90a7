import { comparison, entriesOf } from "./compare.js";
import type { Experiment } from "./experiment.js";

const TITLE = "Foresee rounds";

export const foresee: Experiment = {
  title: TITLE,
  description: "families with foresee rounds and without (section 4.2)",
  devices: ["cpu", "cuda", "simulated"],
  withMetaSchedule: true,
  async plan(settings) {
    return comparison(TITLE, "without foresee", entriesOf(["without foresee", "FamilySeer"], settings), settings);
  },
};
