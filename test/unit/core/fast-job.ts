import { groupFamilies } from "../../../src/core/families.js";
import { FastScheduler } from "../../../src/core/fast/fast-scheduler.js";
import type { FastSchedulerOptions } from "../../../src/core/fast/options.js";
import type { Task } from "../../../src/core/task.js";

/** The fast mode's scheduler as most tests have it: families of core operations, of which no schedule is expected to gain. */
export function fastScheduler(tasks: readonly Task[], options: Partial<FastSchedulerOptions> = {}): FastScheduler {
  return new FastScheduler({
    tasks,
    families: groupFamilies(tasks, "op"),
    objective: null,
    trials: 1000,
    trialsPerRound: 8,
    foreseeTrials: 4,
    population: 2048,
    generations: 4,
    expectGains: async (_task, siblings) => siblings.map(() => 0),
    ...options,
  });
}
