import { InvalidObjectiveError } from "../errors.js";
import type { Task } from "./task.js";

/** What tuning makes small, computed from the best cost of every task in seconds. It must not rise when a cost falls. */
export type Objective = (costs: readonly number[]) => number;

/**
 * The objective of each of several cost vectors. Where the objective is code of another process, all of them travel in
 * one message.
 */
export type ScoreAll = (vectors: readonly (readonly number[])[]) => readonly number[] | Promise<readonly number[]>;

/** The latency of the whole network: each task's cost times how often the network runs it. */
export function weightedSum(tasks: readonly Task[]): Objective {
  const weights = tasks.map((task) => task.weight);
  return (costs) => costs.reduce((sum, cost, id) => sum + cost * (weights[id] ?? 0), 0);
}

export function scoreAllBy(objective: Objective): ScoreAll {
  return (vectors) => vectors.map(objective);
}

/** @throws InvalidObjectiveError for what no scheduler can compare. */
export async function scoresOf(scoreAll: ScoreAll, vectors: readonly (readonly number[])[]): Promise<number[]> {
  const scores: readonly unknown[] = await scoreAll(vectors);
  return vectors.map((costs, index) => {
    const score = scores[index];
    if (typeof score !== "number" || Number.isNaN(score)) {
      throw new InvalidObjectiveError(
        `The objective function returned ${String(score)}. Expected a number for the costs [${costs.join(", ")}].`,
      );
    }
    return score;
  });
}
