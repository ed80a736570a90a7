"""Rounds of any size on a user's tasks: TVM tells a search strategy once how many programs a round has."""

from __future__ import annotations

import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any, Callable

from tvm.ir.utils import derived_object
from tvm.s_tir import meta_schedule as ms
from tvm_ffi import structural_hash

from ..metaschedule.database import FAILED_SECONDS

if TYPE_CHECKING:
    import tvm

# How often a strategy is asked for programs that are new.
_ATTEMPTS = 3


def with_sized_rounds(tasks: list[ms.TuneContext]) -> tuple[list[ms.TuneContext], Callable[[int, int], None]]:
    """Contexts in which the tasks' strategies search on, and what says how many programs a task's next round has."""
    strategies = [SizedRounds(task) for task in tasks]
    loggers = _loggers([task.task_name for task in tasks])
    contexts = [
        ms.TuneContext(
            task.mod,
            target=task.target,
            space_generator=task.space_generator,
            search_strategy=strategy,
            task_name=task.task_name,
            rand_state=task.rand_state,
            num_threads=task.num_threads,
            logger=logger,
        )
        for task, strategy, logger in zip(tasks, strategies, loggers)
    ]

    def size(task: int, programs: int) -> None:
        strategies[task].size = programs

    return contexts, size


@derived_object
class SizedRounds(ms.search_strategy.PySearchStrategy):
    """A task's own strategy for rounds of the size that it is told, and a clone of it for each other size.

    What one of them proposed no other proposes again.
    """

    def __init__(self, task: ms.TuneContext) -> None:
        super().__init__()
        self.size = 0
        self._task = task
        self._by_size: dict[int, ms.TuneContext] = {}
        self._pre_tuning: tuple[Any, ...] = ()
        self._proposed: set[int] = set()
        self._asked: ms.TuneContext = task

    def _initialize_with_tune_context(self, context: ms.TuneContext) -> None:
        """The strategies were initialized with contexts of their own."""

    def pre_tuning(
        self, max_trials: int, num_trials_per_iter: int, design_spaces: list[Any], database: Any, cost_model: Any
    ) -> None:
        self._pre_tuning = (max_trials, design_spaces, database, cost_model)
        self.size = num_trials_per_iter
        # As TVM's loop does with each task.
        ms._ffi_api.TuneContextInitialize(self._task)
        self._take_records(database, cost_model)
        self._begin(self._task, num_trials_per_iter)

    def _take_records(self, database: ms.Database | None, cost_model: ms.CostModel | None) -> None:
        """What a database has of an earlier run for the same target is not measured again, and trains the model: TVM
        does neither."""
        self._proposed.clear()
        if database is None or not database.has_workload(self._task.mod):
            return
        workload = database.commit_workload(self._task.mod)
        target = _options_of(self._task.target)
        candidates, results = [], []
        for record in database.get_all_tuning_records():
            if record.workload.same_as(workload) and record.target and _options_of(record.target) == target:
                # One that another version of TVM wrote may not be replayed by this one.
                with contextlib.suppress(Exception):
                    candidate, result = record.as_measure_candidate(), _result_of(record)
                    candidates.append(candidate)
                    results.append(result)
        self._proposed.update(structural_hash(candidate.sch.mod) for candidate in candidates)
        if cost_model is not None and candidates:
            cost_model.update(self._task, candidates, results)

    def generate_measure_candidates(self) -> list[Any] | None:
        if self.size not in self._by_size:
            self._begin(self._task.clone(), self.size)
        self._asked = self._by_size[self.size]
        for _ in range(_ATTEMPTS):
            candidates: list[Any] | None = self._asked.generate_measure_candidates()
            if not candidates:
                return candidates
            by_hash = {structural_hash(candidate.sch.mod): candidate for candidate in candidates}
            new = [candidate for key, candidate in by_hash.items() if key not in self._proposed]
            self._proposed.update(by_hash)
            if new:
                return new
        # The task has no other programs, or is not going to find them.
        return None

    def notify_runner_results(self, candidates: list[Any], results: list[Any]) -> None:
        self._asked.notify_runner_results(candidates, results)

    def post_tuning(self) -> None:
        for context in self._by_size.values():
            context.post_tuning()
        self._by_size.clear()

    def clone(self) -> Any:
        return SizedRounds(self._task)

    def _begin(self, context: ms.TuneContext, size: int) -> None:
        max_trials, design_spaces, database, cost_model = self._pre_tuning
        context.search_strategy.pre_tuning(max_trials, size, design_spaces, database, cost_model)
        self._by_size[size] = context


def _options_of(target: tvm.target.Target) -> dict[str, Any]:
    """What tells a target from others; their order, which its text has too, does not."""
    options: dict[str, Any] = json.loads(str(target))
    return options


def _result_of(record: ms.database.TuningRecord) -> ms.runner.RunnerResult:
    if all(float(seconds) >= FAILED_SECONDS for seconds in record.run_secs or []):
        return ms.runner.RunnerResult(None, "failed in an earlier run")
    return ms.runner.RunnerResult(record.run_secs, None)


def _loggers(names: list[str]) -> list[logging.Logger | None]:
    """What `ms.logging.get_loggers_from_work_dir` made for the tasks, by their names; None where it made none.

    A context does not tell its logger.
    """
    digits = len(str(len(names) - 1))
    known = logging.root.manager.loggerDict
    paths = [f"{ms.logging.__name__}.task_{index:0{digits}d}_{name[:100]}" for index, name in enumerate(names)]
    return [logging.getLogger(path) if path in known else None for path in paths]
