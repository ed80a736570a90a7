"""The user's process as a worker while MetaSchedule tunes in it.

The orchestrator's requests come to a thread of their own; TVM's loop takes the rounds from there on the thread that
called `tune`, where everything of the user's is called.
"""

from __future__ import annotations

import queue
import random
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from tvm.s_tir import meta_schedule as ms

from ..metaschedule.tasks import ExtractedTask, describe
from .orchestrated import Interruption, TuningProcess
from .rounds import FORESEE_TRIALS, MAIN_TRIALS, FirstRound

if TYPE_CHECKING:
    from ..wire.session import Session

# How often a search that finds nothing, but does not say that it is over, is asked for a round.
_TRIES = 6


@dataclass(frozen=True)
class Round:
    """What the orchestrator asks TVM's loop for."""

    task: int
    programs: int
    reason: str


class MetaScheduleProcess(TuningProcess):
    """The operations of the protocol that only the user's own process can do (drop_in/user_process.py, for Ansor)."""

    tuner = "metaschedule"

    def __init__(
        self,
        scheduler: Any,
        tasks: list[ms.TuneContext],
        weights: list[float],
        trials: int,
        per_task: int,
        per_round: int,
    ) -> None:
        self._scheduler = scheduler
        self._tasks = tasks
        self._weights = weights
        self._trials = trials
        self._per_task = per_task
        self._per_round = per_round
        # None: there is nothing more to do.
        self._asked: queue.Queue[Round | None] = queue.Queue()
        self._answers: queue.Queue[list[float | None] | None] = queue.Queue()
        self._begun: queue.Queue[bool] = queue.Queue()
        self._pending: Round | None = None
        self._first_round = FirstRound()
        # How often in a row the pending round's search found nothing.
        self._in_vain = 0
        self._raised: Exception | None = None
        self.finished = False
        self.families: dict[str, list[int]] | None = None
        self.model = "xgb"
        # Says how many programs the next round of a task has.
        self.size: Callable[[int, int], None] = lambda task, programs: None

    # What TVM's thread calls.

    @contextmanager
    def served(self, session: Session, send: Callable[[bytes], None], interruption: Interruption) -> Iterator[None]:
        """Answers the orchestrator meanwhile, on another thread."""
        self._interruption = interruption
        self._session = session
        thread = threading.Thread(target=self._serve, args=(session, send), name="familyseer requests", daemon=True)
        thread.start()
        try:
            yield
        except Exception:
            # TVM's own code turns an interruption that it meets into an error of its own.
            interruption.check()
            raise
        finally:
            session.end()
            self._answers.put(None)
            thread.join()
        if self._raised is not None:
            raise self._raised

    def wait_for_beginning(self) -> bool:
        """Until the orchestrator has said which families there are; False where it ends the session instead."""
        return self._begun.get()

    def next_task_id(self) -> int:
        """Takes in the round that was asked for, and gives the task of the next, -1 where there is none."""
        if self._pending is not None:
            costs = self._join(self._pending)
            if costs is None:
                return self._pending.task
            self._in_vain = 0
            self._answers.put(costs)
        self._pending = self._asked.get()
        self._interruption.check()
        if self._pending is None:
            return -1
        self._scheduler.reason = self._pending.reason
        self.size(self._pending.task, self._pending.programs)
        return self._pending.task

    def _join(self, asked: Round) -> list[float | None] | None:
        """The round's costs in seconds, none where the search on the task is over; None: it is to be asked again."""
        record = self._scheduler.tasks_[asked.task]
        if record.runner_futures is None:
            return []
        results = self._scheduler.join_running_task(asked.task)
        self._interruption.check()
        costs = [_cost(result) for result in results]
        failed = next((result.error_msg for result in results if result.error_msg is not None), None)
        self._first_round.tell(costs, None if failed is None else str(failed))
        self._in_vain = 0 if costs else self._in_vain + 1
        return None if 0 < self._in_vain < _TRIES else costs

    # What the session's thread calls.

    def _serve(self, session: Session, send: Callable[[bytes], None]) -> None:
        try:
            session.serve(send, lambda: self, raise_errors=True)
        except Exception as error:
            self._raised = error
        finally:
            self._begun.put(False)
            self._asked.put(None)

    def describe(self) -> dict[str, Any]:
        scheduler = self._scheduler
        return {
            "tasks": [_describe(task, weight) for task, weight in zip(self._tasks, self._weights)],
            "search_policy": scheduler.policy,
            "trials": self._trials,
            "trials_per_task": self._per_task,
            "trials_per_round": self._per_round,
            "foresee_trials": min(FORESEE_TRIALS, max(1, self._per_round * FORESEE_TRIALS // MAIN_TRIALS)),
            "strategy": scheduler.strategy,
            "alpha": float(scheduler.alpha),
            "beta": 2.0,
            "gamma": 0.5,
            "backward_window": scheduler.window_size,
            "early_stopping": None,
            "task_early_stopping": None,
            "seed": scheduler.seed if scheduler.seed >= 0 else None,
            "give_up_unmeasured": None,
            "start_at": [],
            "measured_before": [],
        }

    def begin(
        self,
        families: dict[str, list[int]] | None,
        search_policy: str,
        trials_per_round: int,
        histories: list[list[float]],
    ) -> dict[str, Any]:
        self.families = families
        self.model = search_policy.split(".")[1]
        self._begun.put(True)
        return {}

    def score(self, vectors: list[list[float]]) -> dict[str, Any]:
        return {"scores": [sum(weight * cost for weight, cost in zip(self._weights, costs)) for costs in vectors]}

    def draw(self, count: int) -> dict[str, Any]:
        return {"drawn": random.randrange(count)}

    def search(self, task: int, programs: int, reason: str, state: dict[str, Any] | None) -> dict[str, Any]:
        self._asked.put(Round(task, programs, reason))
        costs = self._answers.get()
        return {"costs": costs or []}

    def observe(self, task: int, state: dict[str, Any] | None) -> dict[str, Any]:
        return {}

    def finish(self, reason: str, state: dict[str, Any] | None) -> dict[str, Any]:
        self.finished = True
        self._session.end()
        return {}


def _describe(task: ms.TuneContext, weight: float) -> dict[str, Any]:
    found = describe(ExtractedTask(task.task_name, task.mod))
    return {
        "workload_key": found.workload_key,
        "structure": found.structure,
        "tiled_stage": found.tiled_stage,
        "weight": weight,
        "description": found.description,
        "core_operation": found.core_operation,
        "words": found.words,
        "flops": found.flops,
        "similarity_tags": found.similarity_tags,
    }


def _cost(result: ms.runner.RunnerResult) -> float | None:
    """The median of a result's runs in seconds, which TVM's schedulers decide by; None of a program that failed."""
    if result.error_msg is not None or not result.run_secs:
        return None
    return statistics.median(float(seconds) for seconds in result.run_secs)
