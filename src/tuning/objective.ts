import { InvalidObjectiveError } from "../errors.js";
import type { Task } from "./task.js";

/** What tuning makes small, computed from the best cost of every task in seconds. It must not rise when a cost falls. */
export type Objective = (costs: readonly number[]) => number;

/** The latency of the whole network: each task's cost times how often the network runs it. */
export function weightedSum(tasks: readonly Task[]): Objective {
  const weights = tasks.map((task) => task.weight);
  return (costs) => costs.reduce((sum, cost, id) => sum + cost * (weights[id] ?? 0), 0);
}

/** Calls an objective and refuses what no scheduler can compare. */
export function scoreOf(objective: Objective, costs: readonly number[]): number {
  const score: unknown = objective(costs);
  if (typeof score !== "number" || Number.isNaN(score)) {
    throw new InvalidObjectiveError(
      `The objective function returned ${String(score)}. Expected a number for the costs [${costs.join(", ")}].`,
    );
  }
  return score;
}
