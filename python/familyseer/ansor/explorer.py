"""TVM's search through the programs of one task: sketches, annotated at random, and their evolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tvm import auto_scheduler

if TYPE_CHECKING:
    from tvm.auto_scheduler import SearchTask
    from tvm.auto_scheduler.cost_model import CostModel
    from tvm.auto_scheduler.loop_state import StateObject

    from ..backend import Effort


class SketchExplorer:
    """A task's SketchPolicy objects, one for each effort (backend.py, `Explorer`)."""

    def __init__(self, task: SearchTask, model: CostModel, seed: int) -> None:
        self._task = task
        self._model = model
        self._seed = seed
        self._policies: dict[Effort, auto_scheduler.SketchPolicy] = {}

    def sample(self, effort: Effort) -> list[StateObject]:
        return list(self._policy(effort).sample_initial_population())

    def evolve(self, effort: Effort, start: Sequence[StateObject], count: int) -> list[StateObject]:
        return list(self._policy(effort).evolutionary_search(list(start), count))

    def _policy(self, effort: Effort) -> auto_scheduler.SketchPolicy:
        if effort not in self._policies:
            params = {
                "evolutionary_search_population": effort.population,
                "evolutionary_search_num_iters": effort.generations,
                "sample_init_min_population": min(50, effort.population),
            }
            self._policies[effort] = auto_scheduler.SketchPolicy(
                self._task, self._model, params=params, seed=self._seed, verbose=0
            )
        return self._policies[effort]
