"""The drop-in replacement for MetaSchedule's task schedulers: `ms.tune_tasks(..., task_scheduler=TaskScheduler())`.

TVM's own loop builds, runs, calls the measure callbacks and prints (src/s_tir/meta_schedule/task_scheduler in TVM). It
asks `next_task_id` what to do next, which the orchestrator decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Literal

from tvm.s_tir import meta_schedule as ms
from tvm.s_tir.meta_schedule.task_scheduler import task_scheduler as tvm_task_scheduler
from tvm_ffi import structural_hash

from .family_model import CostModel, of_policy
from .metaschedule_process import MetaScheduleProcess
from .orchestrated import Interruption, orchestrated
from .sized_rounds import with_sized_rounds

if TYPE_CHECKING:
    from ..wire.session import Session

DEFAULT_POLICY = "meta.xgb.family_op"
# TVM's own decisions.
PLAIN_POLICY = "meta.xgb"
# TVM's own schedulers, which `install` takes the place of.
TVM_SCHEDULERS = {name: getattr(ms.task_scheduler, name) for name in ("GradientBased", "RoundRobin")}
_NO_LIMIT = 2**31 - 1
# TVM logs in destructors, out of which an exception ends the process (TVM: s_tir/meta_schedule/utils.h, PyLogMessage).
_NO_RAISE = frozenset([ms.logging.__file__])
_GOES_ON = "What was measured is in your database; tune again with the same work_dir to go on from there."


class TaskScheduler(tvm_task_scheduler._PyTaskScheduler):
    """Allocates the tuning time to tasks as TVM's schedulers of MetaSchedule do, or, with a policy of three parts, as
    FamilySeer: tasks that are alike form families, which share a cost model, and after each round on one a cheap
    foresee round moves a sibling on.

    `family_group` (family name to task ids) and `reason` (why the round in progress was chosen, in words) are added to
    the attributes of TVM's schedulers.
    """

    __slots__ = ("__dict__",)

    def __init__(
        self,
        policy: str = DEFAULT_POLICY,
        *,
        strategy: Literal["gradient", "round-robin"] = "gradient",
        alpha: float = 0.2,
        window_size: int = 3,
        seed: int = -1,
    ) -> None:
        """`policy` is `meta.<model>[.family_<algorithm>]`. `alpha`, `window_size` and `seed` are those of TVM's
        GradientBased; with a seed below 0 ties are drawn by another each time."""
        # TVM holds what it calls, and must not hold this object by it: nothing would free the circle.
        turn = _Turn()
        super().__init__(turn.next_task_id, None, None)
        self._turn = turn
        self.policy = policy
        self.strategy = strategy
        self.alpha = alpha
        self.window_size = window_size
        self.seed = seed
        self.family_group: dict[str, list[int]] = {}
        self.reason: str | None = None

    def tune(
        self,
        tasks: list[ms.TuneContext],
        task_weights: list[float],
        max_trials_global: int,
        max_trials_per_task: int,
        num_trials_per_iter: int,
        builder: ms.Builder,
        runner: ms.Runner,
        measure_callbacks: list[ms.MeasureCallback],
        database: ms.Database | None,
        cost_model: ms.CostModel | None,
    ) -> None:
        """Tunes the tasks; `ms.tune_tasks` and `ms.relax_integration.tune_relax` call it.

        Raises ValueError for what cannot be tuned, InstallationError where Node is missing, OrchestratorLostError, and
        what the user's own callbacks, builder, runner and strategies raise.
        """
        if len(tasks) != len(task_weights):
            raise ValueError(
                f"There are {len(task_weights)} task_weights for {len(tasks)} tasks. Expected one weight for each task."
            )
        weights = [float(weight) for weight in task_weights]
        parts = builder, runner, measure_callbacks, database
        if max_trials_global < 1:
            # There is nothing to decide: TVM's loop ends at once.
            super().tune(tasks, weights, 0, max_trials_per_task, num_trials_per_iter, *parts, cost_model)
            return

        def tune(session: Session, send: Callable[[bytes], None], interruption: Interruption) -> bool:
            limits = max_trials_global, max_trials_per_task, num_trials_per_iter
            process = MetaScheduleProcess(self, tasks, weights, *limits)
            with process.served(session, send, interruption):
                if not process.wait_for_beginning():
                    return False
                self.family_group = process.families or {}
                model = of_policy(cost_model, process.model, self._family_names(tasks))
                contexts, process.size = with_sized_rounds(tasks) if process.families else (tasks, _any_size)
                self._turn.ask = process.next_task_id
                # The orchestrator counts the programs, so that TVM's loop ends by what it says, with all taken in.
                super(TaskScheduler, self).tune(
                    contexts, weights, _NO_LIMIT, max_trials_per_task, num_trials_per_iter, *parts, model
                )
                return process.finished

        try:
            orchestrated(tune, _GOES_ON, _NO_RAISE)
        finally:
            self._turn.ask = None

    def _family_names(self, tasks: list[ms.TuneContext]) -> dict[int, str]:
        """Each task's family, by the structural hash of what it computes."""
        return {
            structural_hash(tasks[task].mod): family
            for family, members in self.family_group.items()
            for task in members
        }


class _Turn:
    """What TVM's loop calls for the next task."""

    def __init__(self) -> None:
        self.ask: Callable[[], int] | None = None

    def next_task_id(self) -> int:
        if self.ask is None:
            raise RuntimeError("next_task_id is asked by TVM's loop alone, while tune() is at work.")
        return self.ask()


def _any_size(task: int, programs: int) -> None:
    """Rounds without families are all of the size that the task's strategy was told."""


def install(policy: str = PLAIN_POLICY) -> None:
    """Puts our TaskScheduler in place of TVM's, for code that cannot be edited: code that names `"gradient"` or
    `"round-robin"`, as `ms.tune_tasks` and `tune_relax` do by default, and code that makes `GradientBased()` or
    `RoundRobin()`.

    Unless a policy with families is named, decisions stay TVM's. Code that took these out of TVM before keeps what it
    took.
    """

    def gradient_based(*, alpha: float = 0.2, window_size: int = 3, seed: int = -1) -> TaskScheduler:
        return TaskScheduler(policy, alpha=alpha, window_size=window_size, seed=seed)

    def round_robin() -> TaskScheduler:
        return TaskScheduler(policy, strategy="round-robin")

    ms.task_scheduler.GradientBased = gradient_based
    ms.task_scheduler.RoundRobin = round_robin


def uninstall() -> None:
    """Puts TVM's own schedulers back."""
    for name, scheduler in TVM_SCHEDULERS.items():
        setattr(ms.task_scheduler, name, scheduler)


__all__ = ["CostModel", "TaskScheduler", "install", "uninstall"]
