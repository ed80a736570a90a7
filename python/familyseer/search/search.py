"""A tuner's search in parts: propose, measure, review, learn, foresee.

TVM's `continue_search_one_round` does propose, measure and learn in one. No program is measured twice.
"""

from __future__ import annotations

import itertools
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING, Callable

import numpy as np

from ..errors import MESSAGE_LENGTH, RequestError
from .recipes import Recipe, by_evolution, by_recipe, expected_gain
from .task_search import SearchSettings, TaskSearch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..backend import CostModel, Record, Task
    from ..measuring.engine import Engine
    from ..measuring.program import Measured
    from ..measuring.run import Timing
    from ..simulated.engine import SimulatedEngine
    from ..wire.messages import MeasuredEvent, Origin
    from .carried import Carried

# How soon a measuring that is cancelled notices it.
_CANCEL_SECONDS = 0.2
# An earlier job's model that orders fewer of the pairs of so many programs than this is not believed any more.
_BELIEVED = 0.6
_CHECKED_BY = 8


class Search:
    """The searches on the tasks that have a cost model here, the pool of these, and the engine that measures."""

    def __init__(
        self,
        tasks: Sequence[Task],
        models: Sequence[CostModel],
        search: SearchSettings,
        engine: Engine | SimulatedEngine,
        timing: Timing,
        carried: Sequence[Carried] = (),
    ) -> None:
        """`carried`: the best schedules of an earlier job."""
        self.models = models
        self._ids = itertools.count()
        self._engine = engine
        self._timing = timing
        model_of = {task: model for model in models for task in model.tasks}
        of_family: dict[str, list[Carried]] = {}
        for earlier in carried:
            of_family.setdefault(earlier.family, []).append(earlier)
        self.searches = {
            index: TaskSearch(tasks[index], model, search, of_family.get(model.name, []))
            for index, model in sorted(model_of.items(), key=lambda item: item[0])
        }

    def propose(self, task: int, programs: int, recipe: Recipe | None = None) -> tuple[list[int], str | None]:
        """Searches for up to `programs` candidates that were never proposed before; none: the space is exhausted, or
        TVM can lower no program, and then its error is given, too."""
        search = self.searches[task]
        search.refusal = None
        if recipe is None:
            candidates = by_evolution(search, programs)
        else:
            candidates = by_recipe(search, [self.searches[each] for each in recipe.donors], recipe, programs)
        ids = []
        for candidate in candidates:
            number = next(self._ids)
            search.candidates[number] = candidate
            ids.append(number)
        return ids, None if ids else search.refusal

    def foresee(self, task: int, siblings: list[int]) -> list[float]:
        """What the family's model expects of the task's best schedules in each sibling: by how much they raise its
        throughput, 0 where it expects nothing or has learnt nothing yet."""
        return [expected_gain(self.searches[sibling], self.searches[task]) for sibling in siblings]

    def measure(
        self,
        task: int,
        candidates: list[int],
        report: Callable[[MeasuredEvent], None],
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
            program = search.task.measurable(search.candidates[number].program)
            search.measuring[number] = self._engine.submit(program, self._timing, hold=True)
        return search.measuring[number]

    def _take(self, task: int, number: int, measured: Measured) -> MeasuredEvent:
        search = self.searches[task]
        candidate = search.candidates.pop(number)
        del search.measuring[number]
        record = search.task.record(candidate.program, measured)
        search.to_review.append(record)
        if record.cost is not None:
            search.measured.append((record.cost, candidate.program))
        return _measured(record, measured, candidate.origin)

    def review(self, task: int) -> float | None:
        """Of the pairs of what was measured since the last review, the share that the family's model has in order; None
        where it knows too little."""
        search = self.searches[task]
        measured, search.to_review = search.to_review, []
        accuracy = _accuracy(search, measured)
        if accuracy is not None and accuracy < _BELIEVED and len(measured) >= _CHECKED_BY:
            search.model.doubt()
        search.to_learn += measured
        return accuracy

    def learn(self, task: int) -> int:
        """Trains the cost model of the task's family on what was reviewed since; returns on how many records."""
        search = self.searches[task]
        reviewed, search.to_learn = search.to_learn, []
        search.model.learn_from(reviewed)
        return len(reviewed)

    def take_over(self, records: Sequence[Record]) -> None:
        """Takes an earlier run's records: they train the models, are not measured again, and join the populations."""
        per_model: dict[str, tuple[CostModel, list[Record]]] = {}
        for record in records:
            search = self.searches.get(record.task)
            if search is None:
                continue
            search.seen.add(search.task.key(record.program))
            if record.cost is not None:
                search.measured.append((record.cost, record.program))
            per_model.setdefault(search.model.name, (search.model, []))[1].append(record)
        for model, taken in per_model.values():
            model.learn_from(taken)


def _accuracy(search: TaskSearch, measured: list[Record]) -> float | None:
    ran = [(record.program, record.cost) for record in measured if record.cost is not None]
    if not search.model.trusted or len(ran) < 2:
        return None
    scores = search.scores([program for program, _ in ran])
    costs = np.array([cost for _, cost in ran])
    first, second = np.triu_indices(len(ran), 1)
    return float(np.mean((scores[first] > scores[second]) == (costs[first] < costs[second])))


def _measured(record: Record, measured: Measured, origin: Origin) -> MeasuredEvent:
    failure = measured.failure
    return {
        "type": "measured",
        "record": record.line(),
        "cost": record.cost,
        "failure": failure.kind if failure else None,
        "message": failure.message[-MESSAGE_LENGTH:] if failure and failure.message else None,
        "device": measured.device,
        "origin": origin,
        "seconds": measured.all_seconds,
        "timing_seconds": measured.timing_seconds,
    }
