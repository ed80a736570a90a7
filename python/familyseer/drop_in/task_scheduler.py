"""The drop-in replacement for `tvm.auto_scheduler.TaskScheduler`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Callable

from tvm import auto_scheduler
from tvm.auto_scheduler.task_scheduler import LogEstimatedLatency, TaskSchedulerCallback

from .user_process import TuningSettings, drive

if TYPE_CHECKING:
    from tvm.auto_scheduler import SearchTask, TuningOptions
    from tvm.auto_scheduler.search_policy import SearchPolicy

TVM_TASK_SCHEDULER: Any = auto_scheduler.task_scheduler.TaskScheduler
# Above this cost, in seconds, a task counts as not measured; TVM's number.
_MEASURED_BELOW = 1e9


class TaskScheduler(TVM_TASK_SCHEDULER):
    """Allocates the tuning time to tasks as TVM's TaskScheduler does, or, with a search policy of three parts, as
    FamilySeer: tasks that are alike form families, which share a cost model, and after each round on one a cheap
    foresee round moves a sibling on.

    Parameters, attributes and callbacks are those of TVM's; `family_group` (family name to task ids), `task_weights`
    and `reason` (why the round in progress was chosen, in words) are added.
    """

    def __init__(
        self,
        tasks: list[SearchTask],
        task_weights: list[float] | None = None,
        objective_func: Callable[[list[float]], float] | None = None,
        strategy: str = "gradient",
        load_model_file: str | None = None,
        load_log_file: str | None = None,
        alpha: float = 0.2,
        beta: float = 2,
        gamma: float = 0.5,
        backward_window_size: int = 3,
        callbacks: list[TaskSchedulerCallback] | None = None,
    ) -> None:
        """Raises AssertionError for no tasks or an unknown strategy, as TVM does, and ValueError for weights of
        another number than the tasks."""
        if task_weights is not None and len(tasks) != 0 and len(task_weights) != len(tasks):
            raise ValueError(
                f"There are {len(task_weights)} task_weights for {len(tasks)} tasks. Expected one weight for each task."
            )
        super().__init__(
            tasks,
            task_weights,
            objective_func,
            strategy,
            load_model_file,
            load_log_file,
            alpha,
            beta,
            gamma,
            backward_window_size,
            [PrintTableInfo(), LogEstimatedLatency("total_latency.tsv")] if callbacks is None else callbacks,
        )
        self.task_weights = task_weights
        self.family_group: dict[str, list[int]] = {}
        self.reason: str | None = None

    def tune(
        self,
        tune_option: TuningOptions,
        search_policy: str | list[SearchPolicy] = "default",
        search_policy_params: dict[str, Any] | None = None,
        adaptive_training: bool = False,
        per_task_early_stopping: int | None = None,
        *,
        adapative_training: bool | None = None,
        give_up_unmeasured: bool | None = None,
    ) -> None:
        """Tunes the tasks.

        `search_policy` is a name, `<search>.<model>[.family_<algorithm>]` such as "sketch.xgb.family_op", or a list of
        ready policies, one for each task. `adapative_training` is how TVM 0.8 and FamilySeer spell `adaptive_training`.
        `give_up_unmeasured` says whether a task is searched no further if no program ran of it in warm-up; left out, it
        is not with families, as in FamilySeer, and is without, as in TVM since 0.18.

        Raises ValueError for what cannot be tuned, InstallationError where Node is missing, OrchestratorLostError, and
        what the user's own objective, callbacks and policies raise.
        """
        adaptive = adaptive_training if adapative_training is None else adapative_training
        settings = TuningSettings(
            tune_option,
            search_policy,
            search_policy_params,
            adaptive,
            per_task_early_stopping,
            give_up_unmeasured,
        )
        drive(self, settings)


class PrintTableInfo(TaskSchedulerCallback):
    """Prints the tasks before each round: TVM's table, with FamilySeer's column of the latency times the weight."""

    def pre_tune(self, task_scheduler: auto_scheduler.TaskScheduler, task_id: int) -> None:
        if task_scheduler.tune_option.verbose < 1:
            return
        auto_scheduler._ffi_api.PrintTitle("Task Scheduler")
        row = "| {:>4} | {:>61} | {:>12} | {:>18} | {:>14} | {:>6} |".format
        head = row("ID", "Task Description", "Latency (ms)", "Total Latency (ms)", "Speed (GFLOPS)", "Trials")
        line = "-" * len(head)
        print(head, line, sep="\n")
        weights = getattr(task_scheduler, "task_weights", None) or [1] * len(task_scheduler.tasks)
        for index, (task, weight) in enumerate(zip(task_scheduler.tasks, weights)):
            cost = task_scheduler.best_costs[index]
            trials = task_scheduler.task_cts[index] * task_scheduler.num_measures_per_round
            measured = cost < _MEASURED_BELOW
            flops = task.compute_dag.flop_ct
            print(
                row(
                    index,
                    task.desc,
                    f"{1e3 * cost:.3f}" if measured else "-",
                    f"{1e3 * cost * weight:.3f}" if measured else "-",
                    f"{flops / cost / 1e9:.2f}" if measured and flops > 0 else "-",
                    trials,
                )
            )
        print(line)
        known = all(cost < _MEASURED_BELOW for cost in task_scheduler.best_costs)
        total = f"{task_scheduler.cur_score * 1e3:.3f}" if known else "-"
        used = time.time() - task_scheduler.tic
        print(
            f"Estimated total latency: {total} ms\tTrials: {task_scheduler.ct}\tUsed time : {used:.0f} s\t"
            f"Next ID: {task_id}\t"
        )
