import { groupFamilies } from "../../../src/core/families.js";
import { seededDraw } from "../../../src/core/random.js";
import type { SchedulerOptions } from "../../../src/core/reference/options.js";
import type { Task } from "../../../src/core/task.js";

export interface RandomJob {
  /** All but the objective and the draws. */
  readonly options: Omit<SchedulerOptions, "scoreAll" | "draw">;
  /** What the next round on a task measures. */
  readonly measure: (task: number, programs: number) => (number | null)[];
}

/**
 * A job of the given number of tasks: with and without families and similarity groups, equal tasks, programs that fail,
 * tasks that end, costs from microseconds to seconds. The same seed gives the same job.
 */
export function randomJob(seed: number, taskCount: number): RandomJob {
  const draw = seededDraw(seed);
  const oneOf = <T>(...choices: readonly T[]): T => choices[draw(choices.length)] ?? (choices[0] as T);
  const fraction = () => draw(2 ** 30) / 2 ** 30;
  const coarse = draw(4) === 0;
  const scale = oneOf(1e-6, 1e-3, 1e-3, 1);
  const failing = oneOf(0, 0, 0.03);
  const alike = oneOf(1, 3, 50);
  const tasks: Task[] = Array.from({ length: taskCount }, (_, id) => ({
    description: `task ${id}`,
    workloadKey: `["${id}"]`,
    structure: String(draw(alike)),
    weight: oneOf(1, 1, 1 + draw(20), draw(8) === 0 ? 0 : 2.5),
    flops: draw(20) === 0 ? oneOf(-1, 0) : 1e6 * (1 + draw(3)) * (coarse ? 1 : 1 + 0.1 * fraction()),
    coreOperation: `op${draw(alike)}`,
    similarityTags: draw(4) === 0 ? [] : [`tag${draw(alike)}`],
  }));
  const costs = tasks.map(() => scale * (coarse ? 1 + draw(4) : 10 ** (2 * fraction())));
  const fails = tasks.map(() => fraction() < failing);
  const ends = oneOf(0, 0.02);
  const trialsPerRound = 1 + draw(8);
  const families = oneOf("op", "hash", "ind", null, null);
  return {
    options: {
      tasks,
      families: families && groupFamilies(tasks, families),
      trials: taskCount * trialsPerRound * (2 + draw(12)),
      trialsPerRound,
      foreseeTrials: 1 + draw(4),
      strategy: oneOf("gradient", "gradient", "gradient", "round-robin"),
      beta: oneOf(2, 2, 0.5),
      backwardWindow: oneOf(1, 3),
      earlyStopping: oneOf(null, 20 * taskCount),
      taskEarlyStopping: oneOf(null, 30),
      giveUpUnmeasured: oneOf(true, false),
    },
    measure: (task, programs) => {
      if (fraction() < ends) {
        return [];
      }
      return Array.from({ length: programs }, () => {
        if (fails[task] || draw(10) === 0) {
          return null;
        }
        const now = costs[task] ?? 1;
        costs[task] = coarse ? Math.max(scale, now - (draw(3) === 0 ? scale / 2 : 0)) : now * (1 - 0.1 * fraction());
        return now;
      });
    },
  };
}
