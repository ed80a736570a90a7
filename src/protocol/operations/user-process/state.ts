import { z } from "zod";
import { count, id } from "../../shapes.js";

/**
 * How far a job has come: what the attributes of TVM's `TaskScheduler` say. Costs in seconds, 1e10 for unmeasured. Null in its
 * place: the scheduler is MetaSchedule's own, which TVM's loop keeps the state of.
 */
export const schedulerState = z
  .object({
    trials: count,
    best_trials: count,
    score: z.number(),
    /** Null before warm-up is done. */
    best_score: z.number().nullable(),
    rounds: z.array(count),
    best_rounds: z.array(count),
    best_costs: z.array(z.number()),
    dead_tasks: z.array(id),
    /** Tasks taken out of their similarity group. */
    unlike_tasks: z.array(id),
  })
  .meta({ title: "SchedulerState" });
export type SchedulerState = z.infer<typeof schedulerState>;
