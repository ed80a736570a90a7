"""A tuner's search in parts: propose, measure, review, learn, foresee.

TVM's `continue_search_one_round` does propose, measure and learn in one. No program is measured twice.
"""

from __future__ import annotations

import itertools
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from ..errors import MESSAGE_LENGTH, RequestError
from ..measuring.disturbance import undisturbed_cost
from .earlier_jobs import nearest
from .recipes import Recipe, by_evolution, by_recipe, expected_gain
from .task_search import SearchSettings, TaskSearch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..backend import CostModel, Program, Record, Task
    from ..measuring.engine import Engine
    from ..measuring.program import Measured
    from ..measuring.run import Timing
    from ..simulated.engine import SimulatedEngine
    from ..wire.messages import MeasuredEvent, Origin, PairsOf
    from .carried import Carried

# How soon a measuring that is cancelled notices it.
_CANCEL_SECONDS = 0.2
ROUND: PairsOf = "round"
EARLIER: PairsOf = "earlier"
# A round is held against so many earlier programs of its task: scoring them takes a hundredth of a second.
_HELD_AGAINST = 32
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
        retime: bool = False,
    ) -> None:
        """`carried`: the best schedules of earlier jobs. With `retime` programs that other work disturbed train no
        model, unless most were, and those that may be the best are measured again once it is quiet."""
        self.models = models
        self._ids = itertools.count()
        self._engine = engine
        self._timing = timing
        self._retime = retime
        self._is_quiet = True
        model_of = {task: model for model in models for task in model.tasks}
        of_family: dict[str, list[Carried]] = {}
        for earlier in carried:
            of_family.setdefault(earlier.family, []).append(earlier)
        self.searches = {
            index: TaskSearch(tasks[index], model, search, _nearest(tasks[index], of_family.get(model.name, [])))
            for index, model in sorted(model_of.items(), key=lambda item: item[0])
        }

    def propose(self, task: int, programs: int, recipe: Recipe | None = None) -> tuple[list[int], str | None]:
        """Searches for up to `programs` candidates that were never proposed before, but for those to be measured again;
        none: the space is exhausted, or TVM can lower no program, and then its error is given, too."""
        search = self.searches[task]
        search.refusal = None
        candidates = search.take_doubted(programs // 2) if self._is_quiet else []
        left = programs - len(candidates)
        if recipe is None:
            candidates += by_evolution(search, left)
        else:
            candidates += by_recipe(search, [self.searches[each] for each in recipe.donors], recipe, left)
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
        left_out = self._retime and measured.disturbed
        (search.disturbed if left_out else search.to_review).append(record)
        if record.cost is not None:
            self._is_quiet = not measured.disturbed
            if candidate.again:
                search.ran_again(record.cost, candidate.program)
            else:
                search.measured.append((record.cost, candidate.program))
            if left_out and not candidate.again:
                search.in_doubt.append((undisturbed_cost(record.cost, measured.waited), candidate))
        return _measured(record, measured, candidate.origin)

    def review(self, task: int, against: PairsOf) -> tuple[float | None, PairsOf]:
        """How well the family's model had foreseen what was measured since the last review: of the pairs of these
        programs with one another, or with `earlier` ones of the task, the share that it has in order, None where it
        knows too little; and which pairs. Where nothing is earlier, they are those of the round."""
        search = self.searches[task]
        measured, search.to_review = search.to_review, []
        disturbed, search.disturbed = search.disturbed, []
        of_round = sum(record.cost is not None for record in [*measured, *disturbed])
        if len(disturbed) > len(measured):
            # Without them there would be too little to learn from, and they were all slowed.
            measured += disturbed
        ran = [(record.cost, record.program) for record in measured if record.cost is not None]
        earlier = _spread(search.measured[: len(search.measured) - of_round]) if against == EARLIER else []
        accuracy = _accuracy(search, ran, earlier)
        if accuracy is not None and accuracy < _BELIEVED and len(measured) >= _CHECKED_BY:
            search.model.doubt()
        search.to_learn += measured
        return accuracy, EARLIER if earlier else ROUND

    def learn(self, task: int) -> int:
        """Trains the cost model of the task's family on what was reviewed since; returns on how many records."""
        search = self.searches[task]
        reviewed, search.to_learn = search.to_learn, []
        search.model.learn_from(reviewed)
        return len(reviewed)

    def take_over(self, records: Sequence[Record]) -> None:
        """Takes an earlier run's records: they train the models, are not measured again, and join the populations."""
        per_model: dict[str, tuple[CostModel, list[Record]]] = {}
        # A program that was disturbed may have been measured again.
        least: dict[tuple[int, str], tuple[float, Program]] = {}
        for record in records:
            search = self.searches.get(record.task)
            if search is None:
                continue
            key = search.task.key(record.program)
            search.seen.add(key)
            before = least.get((record.task, key))
            if record.cost is not None and (before is None or record.cost < before[0]):
                least[record.task, key] = record.cost, record.program
            per_model.setdefault(search.model.name, (search.model, []))[1].append(record)
        for (task, _), entry in least.items():
            self.searches[task].measured.append(entry)
        for model, taken in per_model.values():
            model.learn_from(taken)


def _nearest(task: Task, carried: list[Carried]) -> list[Carried]:
    return nearest(task.describe(), carried) if carried else []


def _spread(measured: list[tuple[float, Program]]) -> list[tuple[float, Program]]:
    """At most `_HELD_AGAINST` of them, evenly from the fastest to the slowest."""
    places = np.linspace(0, len(measured) - 1, min(len(measured), _HELD_AGAINST)).round().astype(int)
    in_order = sorted(measured, key=lambda entry: entry[0])
    return [in_order[place] for place in places]


def _accuracy(
    search: TaskSearch, ran: list[tuple[float, Program]], earlier: list[tuple[float, Program]]
) -> float | None:
    """Of the pairs of `ran` with `earlier`, or with one another where there are none, the share in order; a tie counts
    half. Pairs in which the new program is the faster one count as much as those in which it is not, however many there
    are: a model that puts every new program on top has half."""
    count = len(ran)
    first, second = np.triu_indices(count + len(earlier), 1)
    if earlier:
        across = (first < count) & (second >= count)
        first, second = first[across], second[across]
    if not search.model.trusted or len(first) == 0:
        return None
    scores = search.scores([program for _, program in [*ran, *earlier]])
    costs = np.array([cost for cost, _ in [*ran, *earlier]])
    in_order = (1 + _sign(scores[first], scores[second]) * _sign(costs[second], costs[first])) / 2
    if not earlier:
        return float(np.mean(in_order))
    faster = costs[first] < costs[second]
    sides = [in_order[side] for side in (faster, ~faster)]
    return float(np.mean([side.mean() for side in sides])) if all(map(len, sides)) else None


def _sign(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """1 where the first is larger, -1 where it is smaller; unlike a difference's sign also of infinities."""
    return np.where(first > second, 1, np.where(first < second, -1, 0))


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
        "waited": measured.waited,
        "disturbed": measured.disturbed,
        "timings": measured.timings,
    }
