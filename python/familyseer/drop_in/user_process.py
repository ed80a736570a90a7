"""`tune` of the drop-in TaskScheduler: the user's process as a worker.

The orchestrator decides; this process has the tasks, search policies, objective function, callbacks and devices that
the user made, and uses them as they are.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import numpy as np
from tvm import auto_scheduler
from tvm.auto_scheduler import task_scheduler as tvm_task_scheduler

from .. import nvrtc
from ..ansor.core_operation import core_operation, tiled_stage
from ..ansor.dense import FAULT as DENSE_FAULT
from ..ansor.records import read_records, usable_copy
from ..ansor.results import FAILED_COST
from ..ansor.tasks import dag_hash, similarity_tags
from ..measuring.cpus import are_threads_told, real_cores, tvm_threads
from ..targets import on_cpu
from .orchestrated import Interruption, TuningProcess, orchestrated
from .rounds import FORESEE_TRIALS, FirstRound

if TYPE_CHECKING:
    from tvm.auto_scheduler import SearchTask, TuningOptions
    from tvm.auto_scheduler.measure import MeasureResult
    from tvm.auto_scheduler.search_policy import SearchPolicy

    from ..wire.session import Session

_GOES_ON = (
    "What was measured is in the log of your measure callbacks; tune again with load_log_file to go on from there."
)


class TuningSettings:
    """What `tune` was called with."""

    def __init__(
        self,
        tune_option: TuningOptions,
        search_policy: str | list[SearchPolicy],
        search_policy_params: dict[str, Any] | None,
        adaptive_training: bool,
        per_task_early_stopping: int | None,
        give_up_unmeasured: bool | None = None,
    ) -> None:
        self.tune_option = tune_option
        self.search_policy = search_policy
        self.search_policy_params = search_policy_params
        self.adaptive_training = adaptive_training
        self.per_task_early_stopping = per_task_early_stopping
        self.give_up_unmeasured = give_up_unmeasured


def drive(scheduler: Any, settings: TuningSettings) -> None:
    """Tunes the tasks of a TaskScheduler, TVM's own or ours, as the orchestrator says.

    Raises ValueError for what cannot be tuned, InstallationError, OrchestratorLostError, and whatever the user's own
    objective, callbacks, search policies and devices raise.
    """
    # The user compiles with what was found, in this process.
    nvrtc.register()
    _prepare(scheduler, settings)
    _tell_of_threads(scheduler.tasks, settings.tune_option.runner)
    with _earlier_run(scheduler) as earlier:

        def tune(session: Session, send: Callable[[bytes], None], interruption: Interruption) -> bool:
            process = UserProcess(scheduler, settings, earlier, interruption, session.end)
            session.serve(send, lambda: process, raise_errors=True)
            return process.finished

        orchestrated(tune, _GOES_ON)


class UserProcess(TuningProcess):
    """The operations of the protocol that only the user's own process can do."""

    tuner = "ansor"

    def __init__(
        self,
        scheduler: Any,
        settings: TuningSettings,
        earlier: EarlierRun,
        interruption: Interruption,
        end: Callable[[], None],
    ) -> None:
        self._scheduler = scheduler
        self._settings = settings
        self._earlier = earlier
        self._interruption = interruption
        self._end = end
        self.finished = False
        self._first_round = FirstRound()
        self._said_dense = False

    def describe(self) -> dict[str, Any]:
        scheduler, settings = self._scheduler, self._settings
        option, name = settings.tune_option, settings.search_policy
        weights = scheduler.task_weights or [1] * len(scheduler.tasks)
        return {
            "tasks": [
                _describe(task, float(weight), scheduler.task_tags[index])
                for index, (task, weight) in enumerate(zip(scheduler.tasks, weights))
            ],
            "search_policy": name if isinstance(name, str) else None,
            "trials": int(option.num_measure_trials),
            "trials_per_task": None,
            "trials_per_round": int(option.num_measures_per_round),
            "foresee_trials": FORESEE_TRIALS,
            "strategy": scheduler.strategy,
            "alpha": float(scheduler.alpha),
            "beta": float(scheduler.beta),
            "gamma": float(scheduler.gamma),
            "backward_window": int(scheduler.backward_window_size),
            # TVM writes "never" as a negative number.
            "early_stopping": None if option.early_stopping < 0 else int(option.early_stopping),
            "task_early_stopping": settings.per_task_early_stopping,
            "seed": None,
            "give_up_unmeasured": settings.give_up_unmeasured,
            "start_at": [
                {
                    "rounds": int(scheduler.task_cts[index]),
                    "best_round": int(scheduler.task_best_cts[index]),
                    "best_cost": float(scheduler.best_costs[index]),
                    "history": [float(cost) for cost in scheduler.task_costs_history[index]],
                    "dead": index in scheduler.dead_tasks,
                }
                for index in range(len(scheduler.tasks))
            ],
            "measured_before": self._earlier.measured,
        }

    def begin(
        self,
        families: dict[str, list[int]] | None,
        search_policy: str | None,
        trials_per_round: int,
        histories: list[list[float]],
    ) -> dict[str, Any]:
        scheduler = self._scheduler
        scheduler.task_costs_history[:] = histories
        scheduler.num_measures_per_round = trials_per_round
        scheduler.family_group = families or {}
        if self._settings.tune_option.verbose >= 1:
            for name, members in scheduler.family_group.items():
                print("family group :", name, "---", members)
        if families is None or search_policy is None:
            named = self._settings.search_policy if search_policy is None else search_policy
            scheduler.search_policies = list(self._make_policies(named, scheduler.tasks))
        else:
            policies: dict[int, SearchPolicy] = {}
            for members in families.values():
                made = self._make_policies(search_policy, [scheduler.tasks[index] for index in members])
                policies.update(zip(members, made))
            scheduler.search_policies = [policies[index] for index in range(len(scheduler.tasks))]
        return {}

    def score(self, vectors: list[list[float]]) -> dict[str, Any]:
        return {"scores": [float(self._scheduler._compute_score(np.array(costs))) for costs in vectors]}

    def draw(self, count: int) -> dict[str, Any]:
        # The generator that TVM's scheduler draws from, so that the user's seed decides here too.
        return {"drawn": int(np.random.choice(count))}

    def search(self, task: int, programs: int, reason: str, state: dict[str, Any]) -> dict[str, Any]:
        scheduler = self._scheduler
        self._take(state)
        scheduler.reason = reason
        for callback in scheduler.callbacks:
            callback.pre_tune(scheduler, task)
        try:
            inputs, results = scheduler.search_policies[task].continue_search_one_round(programs, scheduler.measurer)
        except Exception:
            # TVM's own code turns an interruption that it meets into an error of its own.
            self._interruption.check()
            raise
        self._interruption.check()
        costs = [_mean(result.costs) for result in results]
        self._say_if_dense(task, results)
        # The number of inputs counts as measured, whatever came back of them.
        costs += [None] * (len(inputs) - len(costs))
        failed = next((result for result in results if result.error_no != 0), None)
        self._first_round.tell(costs, None if failed is None else failed.error_msg)
        return {"costs": costs}

    def _say_if_dense(self, task: int, results: Sequence[Any]) -> None:
        """Says once how to have dense layers tuned, where every program of a task fails by TVM's fault with them."""
        never_ran = self._scheduler.best_costs[task] >= FAILED_COST
        if self._said_dense or len(results) == 0 or not never_ran or not all(map(_fails_as_dense, results)):
            return
        self._said_dense = True
        print(
            f"familyseer: TVM can lower no program of task {task} ({self._scheduler.tasks[task].desc}), by a fault "
            "with dense layers. Call familyseer.mend_dense() before extract_tasks, and before relay.build "
            "(docs/drop-in.md).",
            file=sys.stderr,
        )

    def observe(self, task: int, state: dict[str, Any]) -> dict[str, Any]:
        scheduler = self._scheduler
        self._take(state)
        scheduler.task_costs_history[task].append(scheduler.best_costs[task])
        for callback in scheduler.callbacks:
            callback.post_tune(scheduler, task)
        return {}

    def finish(self, reason: str, state: dict[str, Any]) -> dict[str, Any]:
        self._take(state)
        if reason == "no-improvement" and self._settings.tune_option.verbose >= 1:
            trials = self._settings.tune_option.early_stopping
            print(f"Stop early since no performance improvement in the last {trials} measurement trials.")
        self.finished = True
        self._end()
        return {}

    def _make_policies(self, search_policy: str | list[SearchPolicy], tasks: list[SearchTask]) -> list[SearchPolicy]:
        scheduler, settings = self._scheduler, self._settings
        # TVM's own way to make them; a family's cost model is what it makes for the family's tasks alone. By position:
        # TVM 0.8 spells the last parameter otherwise.
        policies: list[SearchPolicy] = tvm_task_scheduler.make_search_policies(
            search_policy,
            settings.search_policy_params,
            tasks,
            scheduler.num_measures_per_round,
            settings.tune_option.verbose,
            scheduler.load_model_file,
            self._earlier.log,
            settings.adaptive_training,
        )
        return policies

    def _take(self, state: dict[str, Any]) -> None:
        """Makes the attributes say what the orchestrator's state says."""
        scheduler = self._scheduler
        scheduler.ct = state["trials"]
        scheduler.best_ct = state["best_trials"]
        scheduler.cur_score = state["score"]
        scheduler.best_score = state["best_score"]
        scheduler.task_cts[:] = state["rounds"]
        scheduler.task_best_cts[:] = state["best_rounds"]
        scheduler.best_costs[:] = state["best_costs"]
        scheduler.dead_tasks.clear()
        scheduler.dead_tasks.update(state["dead_tasks"])
        for task in state["unlike_tasks"]:
            tag = scheduler.task_tags[task]
            if tag is not None:
                scheduler.group_task_ids[scheduler.tag_to_group_id[tag]].remove(task)
                scheduler.task_tags[task] = None


def _prepare(scheduler: Any, settings: TuningSettings) -> None:
    """Sets what TVM's `tune` sets before its first round."""
    option, tasks = settings.tune_option, scheduler.tasks
    if settings.tune_option.num_measure_trials // len(tasks) <= 0:
        raise ValueError(
            f"num_measure_trials is too small: {option.num_measure_trials} for {len(tasks)} tasks. Expected at least "
            f"{len(tasks)}, one for each task."
        )
    policies = settings.search_policy
    if not isinstance(policies, str) and len(policies) != len(tasks):
        raise ValueError(
            f"There are {len(policies)} search policies for {len(tasks)} tasks. Expected one policy for each task, in "
            "the order of the tasks."
        )
    never = 1e20
    scheduler.tune_option = option
    scheduler.early_stopping_all = never if option.early_stopping < 0 else option.early_stopping
    scheduler.early_stopping_task = (
        never if settings.per_task_early_stopping is None else settings.per_task_early_stopping
    )
    scheduler.measurer = auto_scheduler.measure.ProgramMeasurer(
        option.builder, option.runner, option.measure_callbacks, option.verbose
    )
    scheduler.ct = scheduler.best_ct = 0
    scheduler.tic = time.time()
    scheduler.family_group = {}


def _tell_of_threads(tasks: list[SearchTask], runner: Any) -> None:
    """Says where TVM leaves cores of this machine without work. How many threads it takes in his process is the user's
    to say, and on a server its user's."""
    threads, cores = tvm_threads(), real_cores()
    on_server = type(runner) is auto_scheduler.RPCRunner
    on_cpus = any(on_cpu(task.target) for task in tasks if hasattr(task, "target"))
    if on_server or not on_cpus or are_threads_told() or threads >= cores:
        return
    print(
        f"TVM runs programs on {threads} thread{'' if threads == 1 else 's'}, and may use {cores} cores; "
        f"with TVM_NUM_THREADS={cores} in its environment they are tuned for all."
    )


@dataclass(frozen=True)
class EarlierRun:
    """The programs of `load_log_file` on the scheduler's tasks and target, and that log as TVM can read it."""

    measured: list[dict[str, Any]]
    log: str | None


@contextmanager
def _earlier_run(scheduler: Any) -> Iterator[EarlierRun]:
    """Raises ValueError for a log without a record of the scheduler's tasks.

    TVM itself raises on a line it cannot read, so that it gets a copy of the log without such lines."""
    path = scheduler.load_log_file
    if not path or not Path(path).is_file():
        yield EarlierRun([], path)
        return
    part = read_records(path, scheduler.tasks, other_versions=False)
    if part.skipped.count > 0 and not part.records:
        raise ValueError(
            f"None of the {part.skipped.count} records of {path} is of these {len(scheduler.tasks)} tasks on the "
            f"target {scheduler.tasks[0].target}. Expected a log of the same network, or no load_log_file."
        )
    measured = [{"task": record.task, "cost": record.cost} for record in part.records]
    if part.skipped.count == 0:
        yield EarlierRun(measured, path)
        return
    if part.skipped.unusable:
        print(f"{part.skipped.count} lines of {path} skipped: {part.skipped}")
    with tempfile.NamedTemporaryFile(prefix="familyseer-", suffix=".log") as copy:
        usable_copy(path, part.skipped, Path(copy.name))
        yield EarlierRun(measured, copy.name)


def _describe(task: SearchTask, weight: float, tag: str | None) -> dict[str, Any]:
    return {
        "workload_key": task.workload_key,
        "structure": dag_hash(task.workload_key),
        "tiled_stage": tiled_stage(task.compute_dag),
        "weight": weight,
        "description": task.desc,
        "core_operation": core_operation(task.compute_dag),
        "words": task.desc,
        "flops": float(task.compute_dag.flop_ct),
        # No tag is left of a task that was taken out of its similarity group.
        "similarity_tags": similarity_tags(task.compute_dag) if tag else [],
    }


def _fails_as_dense(result: MeasureResult) -> bool:
    """Whether a program failed as those of dense layers do (`dense.py`)."""
    return result.error_no != 0 and DENSE_FAULT in str(result.error_msg)


def _mean(costs: Any) -> float | None:
    """The mean of a result's costs in seconds; None for what no number comes of."""
    values = [float(cost.value if hasattr(cost, "value") else cost) for cost in costs]
    mean = sum(values) / len(values) if values else math.nan
    return mean if math.isfinite(mean) and mean < FAILED_COST else None
