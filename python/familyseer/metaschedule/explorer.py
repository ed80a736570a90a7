"""TVM's search through the programs of one task: designs with random decisions, and their evolution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from tvm.s_tir.meta_schedule.database import MemoryDatabase
from tvm.s_tir.meta_schedule.search_strategy import EvolutionarySearch
from tvm_ffi import get_global_func

from .context import tune_context

if TYPE_CHECKING:
    from tvm.s_tir import Schedule
    from tvm.s_tir.meta_schedule import TuneContext

    from ..backend import Effort
    from .bare_task import BareTask
    from .cost_model import CostModel

_NAME = "s_tir.meta_schedule.SearchStrategyEvolutionarySearch"
_SAMPLE = get_global_func(f"{_NAME}SampleInitPopulation")
_EVOLVE = get_global_func(f"{_NAME}EvolveWithCostModel")
_SEEDS = (1 << 31) - 2
# TVM samples again until it has so many; of a smaller population an eighth: few of a GPU's programs are valid.
_LEAST_SAMPLED = 50


class TraceExplorer:
    """A task's evolutionary searches, one for each effort (backend.py, `Explorer`)."""

    def __init__(self, task: BareTask, model: CostModel, seed: int) -> None:
        self._task = task
        self._seed = seed
        self._asked = model.asked_by_search(task)
        # The searches point to their contexts.
        self._contexts: dict[Effort, TuneContext] = {}
        self._sampled: list[Schedule] = []

    def sample(self, effort: Effort) -> list[Schedule]:
        with self._searching(effort) as search:
            self._sampled = list(_SAMPLE(search, effort.population))
        return list(self._sampled)

    def evolve(self, effort: Effort, start: Sequence[Schedule], count: int) -> list[Schedule]:
        """As the protocol says; none of `start` but what was sampled last: who gave the others knows them."""
        sampled = {id(each) for each in self._sampled}
        known = [each for each in start if id(each) not in sampled]
        keys = {self._task.key(each) for each in known}
        # TVM takes no parents from beyond the size of a population.
        first = [*known, *(each for each in start if id(each) in sampled)][: effort.population]
        with self._searching(effort) as search:
            evolved = list(_EVOLVE(search, first, count + len(keys)))
        return [each for each in evolved if self._task.key(each) not in keys][:count]

    @contextmanager
    def _searching(self, effort: Effort) -> Iterator[EvolutionarySearch]:
        """A search that remembers nothing: TVM's gives no program twice, though it may never have been proposed. It
        draws on from where the last of its effort ended."""
        context = self._context(effort)
        context.pre_tuning(1, 1, self._task.space.designs, MemoryDatabase(), self._asked)
        try:
            yield context.search_strategy
        finally:
            context.post_tuning()

    def _context(self, effort: Effort) -> TuneContext:
        if effort not in self._contexts:
            strategy = EvolutionarySearch(
                population_size=effort.population,
                genetic_num_iters=effort.generations,
                init_min_unmeasured=min(_LEAST_SAMPLED, 1 + effort.population // 8),
            )
            space = self._task.space
            # Searches of different efforts draw different programs.
            numbers = np.random.SeedSequence([self._seed, effort.population, effort.generations])
            seed = 1 + int(numbers.generate_state(1)[0]) % _SEEDS
            self._contexts[effort] = tune_context(space.module, space.target, strategy, seed)
        return self._contexts[effort]
