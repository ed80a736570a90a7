import type { SearchReason } from "../core/decider.js";
import { groupFamilies } from "../core/families.js";
import type { ScoreAll } from "../core/objective.js";
import type { Draw } from "../core/random.js";
import { MetaScheduler } from "../core/reference/meta-scheduler.js";
import { minstdDraw } from "../core/reference/minstd.js";
import { Scheduler } from "../core/reference/scheduler.js";
import { parseSearchPolicy } from "../core/search-policy.js";
import { toTask } from "../network/tasks.js";
import type { Result } from "../protocol/operations/index.js";
import type { SchedulerState } from "../protocol/operations/user-process/state.js";
import { tunerNamed } from "../tuner-name.js";
import type { Worker } from "../worker/worker.js";

/**
 * Tunes what the user's own process describes, on that process's own tasks, search policies and objective: the other
 * half of the drop-in `TaskScheduler` (python/familyseer/drop_in/user_process.py).
 *
 * @throws InvalidRequestError for what cannot be tuned; WorkerFailureError for what the user's code raised.
 */
export async function driveUserProcess(worker: Worker, explain: (reason: SearchReason) => string): Promise<void> {
  const described = await worker.request("describe", {});
  const policy =
    described.search_policy === null ? null : parseSearchPolicy(described.search_policy, tunerNamed(worker.tuner));
  const tasks = described.tasks.map(toTask);
  const families = policy?.families ? groupFamilies(tasks, policy.families) : null;
  const draw = described.seed === null ? drawnBy(worker) : minstdDraw(described.seed);
  const scheduler =
    policy?.search === "meta" && families === null
      ? new MetaScheduler({ ...metaSchedulerOptions(described), tasks, draw })
      : new Scheduler({
          ...schedulerOptions(described),
          tasks,
          families,
          giveUpUnmeasured: described.give_up_unmeasured ?? families === null,
          scoreAll: scoredBy(worker),
          draw,
        });
  await worker.request("begin", {
    families: families ? Object.fromEntries([...families].map(([name, ids]) => [name, [...ids]])) : null,
    search_policy: policy ? `${policy.search}.${policy.costModel}` : null,
    trials_per_round: scheduler.trialsPerRound,
    histories: scheduler instanceof Scheduler ? scheduler.histories.map((history) => [...history]) : [],
  });
  for (;;) {
    const action = await scheduler.next();
    if (action.type === "stop") {
      await worker.request("finish", { reason: action.reason.type, state: stateOf(scheduler) });
      return;
    }
    const { task, programs } = action;
    const round = { task, programs, reason: explain(action.reason), state: stateOf(scheduler) };
    const { costs } = await worker.request("search", round);
    await scheduler.observe(costs.map((cost) => ({ cost })));
    await worker.request("observe", { task, state: stateOf(scheduler) });
  }
}

function scoredBy(worker: Worker): ScoreAll {
  return async (vectors) => (await worker.request("score", { vectors: vectors.map((costs) => [...costs]) })).scores;
}

function drawnBy(worker: Worker): Draw {
  return async (count) => (await worker.request("draw", { count })).drawn;
}

function metaSchedulerOptions(described: Result<"describe">) {
  return {
    trials: described.trials,
    trialsPerTask: described.trials_per_task,
    trialsPerRound: described.trials_per_round,
    strategy: described.strategy,
    alpha: described.alpha,
    backwardWindow: described.backward_window,
  };
}

function schedulerOptions(described: Result<"describe">) {
  return {
    trials: described.trials,
    trialsPerRound: described.trials_per_round,
    foreseeTrials: described.foresee_trials,
    strategy: described.strategy,
    alpha: described.alpha,
    beta: described.beta,
    gamma: described.gamma,
    backwardWindow: described.backward_window,
    earlyStopping: described.early_stopping,
    taskEarlyStopping: described.task_early_stopping,
    measuredBefore: described.measured_before,
    startAt: described.start_at.map(({ best_round, best_cost, ...rest }) => ({
      ...rest,
      bestRound: best_round,
      bestCost: best_cost,
    })),
  };
}

/** What TVM's own scheduler of MetaSchedule counts, TVM's loop shows by itself. */
function stateOf(scheduler: Scheduler | MetaScheduler): SchedulerState | null {
  if (scheduler instanceof MetaScheduler) {
    return null;
  }
  const best = scheduler.bestScore;
  return {
    trials: scheduler.trials,
    best_trials: best.trials,
    score: scheduler.score,
    best_score: Number.isNaN(best.score) ? null : best.score,
    rounds: [...scheduler.rounds],
    best_rounds: [...scheduler.bestRounds],
    best_costs: [...scheduler.bestCosts],
    dead_tasks: [...scheduler.deadTasks],
    unlike_tasks: [...scheduler.unlikeTasks],
  };
}
