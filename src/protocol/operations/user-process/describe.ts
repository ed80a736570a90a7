import { z } from "zod";
import { STRATEGIES } from "../../../core/search-policy.js";
import type { Operation } from "../../operation.js";
import { count, describedTask, id } from "../../shapes.js";
import { PATIENCE_MS } from "./patience.js";

const taskStart = z
  .object({
    rounds: count,
    best_round: count,
    best_cost: z.number(),
    history: z.array(z.number()),
    dead: z.boolean(),
  })
  .meta({ title: "TaskStart" });

const taskCost = z.object({ task: id, cost: z.number().nullable() }).meta({ title: "TaskCost" });

/** What the user wants tuned, and how. */
export const describe = {
  params: z.object({}),
  result: z.object({
    tasks: z.array(describedTask),
    /** Null where the search policies are ready-made. */
    search_policy: z.string().nullable(),
    trials: z.number().int(),
    /** Programs of a task at most, by MetaSchedule's own scheduler; null: as many as of all. */
    trials_per_task: z.number().int().nullable(),
    trials_per_round: z.number().int(),
    foresee_trials: z.number().int(),
    strategy: z.enum(STRATEGIES),
    alpha: z.number(),
    beta: z.number(),
    gamma: z.number(),
    backward_window: z.number().int(),
    early_stopping: z.number().nullable(),
    task_early_stopping: z.number().nullable(),
    /** Draws ties as MetaSchedule's scheduler with this seed; null: `draw` says. */
    seed: z.number().int().min(0).nullable(),
    /** Null: as the reference does, TVM 0.18 without families and FamilySeer with them. */
    give_up_unmeasured: z.boolean().nullable(),
    start_at: z.array(taskStart),
    measured_before: z.array(taskCost),
  }),
  deadlineMs: PATIENCE_MS,
} as const satisfies Operation;
