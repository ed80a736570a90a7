"""Ansor behind three operations, propose, measure and learn, on real SketchPolicy and cost-model objects.

TVM's `continue_search_one_round` does the three in one; what it does besides them is done here: the best measured
programs join the initial population, some candidates are drawn at random, and none is measured twice
(TVM: src/auto_scheduler/search_policy/sketch_policy.cc).
"""

from __future__ import annotations

import itertools
import math
import random
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable

import numpy as np
from tvm import auto_scheduler
from tvm.auto_scheduler.measure_record import dump_record_to_string

from .errors import RequestError

if TYPE_CHECKING:
    from tvm.auto_scheduler import MeasureInput, MeasureResult, SearchTask
    from tvm.auto_scheduler.loop_state import StateObject

    from .cost_model import CostModel
    from .measuring.engine import Engine, Measured
    from .measuring.run import Timing

# How soon a measuring that is cancelled notices it.
_CANCEL_SECONDS = 0.2
# By auto_scheduler.MeasureErrorNo.
FAILURE_KINDS = (
    None,
    "instantiation",
    "compile-host",
    "compile-device",
    "runtime",
    "wrong-answer",
    "build-timeout",
    "run-timeout",
    "unknown",
)


@dataclass(frozen=True)
class SearchSettings:
    """How programs are searched; the defaults are TVM's."""

    population: int = 2048
    generations: int = 4
    eps_greedy: float = 0.05
    use_measured_ratio: float = 0.2
    seed: int = 0


@dataclass
class TaskSearch:
    """The search on one task."""

    task: SearchTask
    model: CostModel
    settings: SearchSettings
    policy: auto_scheduler.SketchPolicy
    random: random.Random
    candidates: dict[int, StateObject] = field(default_factory=dict)
    measuring: dict[int, Future[Measured]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    measured: list[tuple[float, StateObject]] = field(default_factory=list)
    to_learn: list[tuple[MeasureInput, MeasureResult]] = field(default_factory=list)


class Search:
    """The searches on all tasks of a run, the pool of cost models they share, and the engine that measures for them."""

    def __init__(
        self,
        tasks: list[SearchTask],
        models: list[CostModel],
        search: SearchSettings,
        engine: Engine,
        timing: Timing,
    ) -> None:
        self.models = models
        self._ids = itertools.count()
        self._engine = engine
        self._timing = timing
        model_of = {task: model for model in models for task in model.tasks}
        self.searches = [_task_search(index, task, model_of[index], search) for index, task in enumerate(tasks)]

    def propose(self, task: int, programs: int) -> list[int]:
        """Searches for up to `programs` candidates that were never proposed before; none: the space is exhausted."""
        search = self.searches[task]
        settings = search.settings
        population = list(search.policy.sample_initial_population())
        if not population:
            return []
        at_random = search.random.sample(population, min(len(population), 3 * programs))
        keep = min(len(search.measured), int(settings.use_measured_ratio * settings.population))
        best = sorted(search.measured, key=lambda entry: entry[0])[:keep]
        evolved = list(search.policy.evolutionary_search(population + [state for _, state in best], programs * 2))
        randoms = int(settings.eps_greedy * programs)
        chosen = _unseen(search, evolved, programs - randoms)
        chosen += _unseen(search, at_random, programs - len(chosen))
        chosen += _unseen(search, evolved, programs - len(chosen))
        ids = []
        for state in chosen:
            number = next(self._ids)
            search.candidates[number] = state
            ids.append(number)
        return ids

    def measure(
        self,
        task: int,
        candidates: list[int],
        report: Callable[[dict[str, Any]], None],
        cancelled: Callable[[], bool],
    ) -> int:
        """Builds and runs candidates, reporting each as it is done (protocol, `measured`); returns how many were."""
        waiting = {self._measuring(task, number): number for number in candidates}
        for future in waiting:
            self._engine.release(future)
        done = 0
        while waiting:
            if cancelled():
                # What a builder or a device is at is ended and kept; the rest was not begun.
                for future in [future for future in waiting if future.cancel()]:
                    del waiting[future]
            for future in wait(waiting, _CANCEL_SECONDS, FIRST_COMPLETED).done:
                report(self._take(task, waiting.pop(future), future.result()))
                done += 1
        return done

    def prepare(self, task: int, candidates: list[int]) -> None:
        """Begins to build candidates that `measure` will be asked for later."""
        for number in candidates:
            self._measuring(task, number)

    def close(self) -> None:
        """Ends builders and runners."""
        self._engine.close()

    def _measuring(self, task: int, number: int) -> Future[Measured]:
        """The measuring of a candidate, which begins to be built now and runs once it is released."""
        search = self.searches[task]
        if number not in search.candidates:
            raise RequestError(f"Task {task} has no candidate {number}. Expected numbers that propose returned.")
        if number not in search.measuring:
            one = auto_scheduler.MeasureInput(search.task, search.candidates[number])
            search.measuring[number] = self._engine.submit(one, self._timing, hold=True)
        return search.measuring[number]

    def _take(self, task: int, number: int, measured: Measured) -> dict[str, Any]:
        search, result = self.searches[task], measured.result()
        state = search.candidates.pop(number)
        del search.measuring[number]
        one = auto_scheduler.MeasureInput(search.task, state)
        search.to_learn.append((one, result))
        cost = _cost(result)
        if cost is not None:
            search.measured.append((cost, state))
        return _measured(one, measured, cost)

    def learn(self, task: int) -> int:
        """Trains the cost model of the task's family on what was measured since; returns on how many records."""
        search = self.searches[task]
        pending, search.to_learn = search.to_learn, []
        search.model.learn([one for one, _ in pending], [result for _, result in pending])
        return len(pending)

    def replay_log(self, path: str) -> int:
        """Takes an earlier run's records: they train the models, are not measured again, and join the populations."""
        by_key = {search.task.workload_key: search for search in self.searches}
        target = str(self.searches[0].task.target)
        per_model: dict[str, tuple[CostModel, list[Any], list[Any]]] = {}
        taken = 0
        for one, result in auto_scheduler.RecordReader(path):
            search = by_key.get(one.task.workload_key)
            if search is None or str(one.task.target) != target:
                continue
            state = _bound(search, one.state)
            fresh = auto_scheduler.MeasureInput(search.task, state)
            search.seen.add(str(state))
            cost = _cost(result)
            if cost is not None:
                search.measured.append((cost, state))
            _, inputs, results = per_model.setdefault(search.model.name, (search.model, [], []))
            inputs.append(fresh)
            results.append(result)
            taken += 1
        for model, inputs, results in per_model.values():
            model.learn(inputs, results)
            model.sources.append(path)
        return taken


def _task_search(index: int, task: SearchTask, model: CostModel, settings: SearchSettings) -> TaskSearch:
    params = {
        "eps_greedy": settings.eps_greedy,
        "evolutionary_search_population": settings.population,
        "evolutionary_search_num_iters": settings.generations,
        "sample_init_use_measured_ratio": settings.use_measured_ratio,
        "sample_init_min_population": min(50, settings.population),
    }
    seed = settings.seed * 1009 + index
    policy = auto_scheduler.SketchPolicy(task, model.model, params=params, seed=seed, verbose=0)
    return TaskSearch(task, model, settings, policy, random.Random(seed))


def _unseen(search: TaskSearch, states: list[StateObject], count: int) -> list[StateObject]:
    chosen: list[StateObject] = []
    for state in states:
        if len(chosen) >= count:
            break
        bound = _bound(search, state)
        text = str(bound)
        if text not in search.seen:
            search.seen.add(text)
            chosen.append(bound)
    return chosen


def _bound(search: TaskSearch, state: StateObject) -> StateObject:
    """The state with the extents of its loops, as TVM's own object: Python's wrapper of it is not taken back by TVM."""
    return search.task.compute_dag.infer_bound_from_state(state).state_object


def _cost(result: MeasureResult) -> float | None:
    """The mean cost in seconds; None for a program that failed."""
    if result.error_no != 0:
        return None
    cost = float(np.mean([value.value for value in result.costs]))
    return cost if math.isfinite(cost) else None


def _measured(one: MeasureInput, measured: Measured, cost: float | None) -> dict[str, Any]:
    result, error = measured.result(), measured.error_no
    return {
        "type": "measured",
        "record": dump_record_to_string(one, result).rstrip("\n"),
        "cost": cost,
        "failure": FAILURE_KINDS[error] if error < len(FAILURE_KINDS) else "unknown",
        "message": str(measured.error_msg)[-2000:] if error else None,
        "device": measured.device,
        "seconds": measured.all_seconds,
        "timing_seconds": measured.timing_seconds,
    }
