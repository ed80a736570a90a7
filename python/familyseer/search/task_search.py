"""The search on one task: what was proposed and measured of it, and TVM's policies that search it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
import tvm
from tvm import auto_scheduler

from ..errors import last_line
from ..targets import on_cpu
from .schedules import Stage, Steps, reduces_across_threads, stages_of, steps_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from tvm.auto_scheduler import MeasureInput, MeasureResult, SearchTask
    from tvm.auto_scheduler.loop_state import StateObject

    from ..measuring.program import Measured
    from ..wire.messages import Origin
    from .cost_model import CostModel

_GPU_PASSES = tvm.get_global_func("driver.mixed_mod_passes", allow_missing=True)


@dataclass(frozen=True)
class SearchSettings:
    """How programs are searched; the defaults are TVM's."""

    population: int = 2048
    generations: int = 4
    eps_greedy: float = 0.05
    use_measured_ratio: float = 0.2
    seed: int = 0


@dataclass(frozen=True)
class Candidate:
    """A program that is not measured yet, and where it came from."""

    state: StateObject
    origin: Origin


class Donor(Protocol):
    """A task, of this job or an earlier one, whose best schedules can be fitted to another."""

    @property
    def stages(self) -> tuple[Stage, ...]: ...

    def donations(self, count: int) -> list[tuple[str, Steps]]: ...


class TaskSearch:
    """The search on one task.

    `measured` has the cost in seconds and the program of all that ran, `seen` the text of all that were ever proposed.
    """

    def __init__(
        self,
        index: int,
        task: SearchTask,
        model: CostModel,
        settings: SearchSettings,
        carried: Sequence[Donor] = (),
    ) -> None:
        """`carried`: tasks of an earlier job of the same family."""
        self.task = task
        self.model = model
        self.settings = settings
        self.carried = carried
        self.candidates: dict[int, Candidate] = {}
        self.measuring: dict[int, Future[Measured]] = {}
        self.seen: set[str] = set()
        self.measured: list[tuple[float, StateObject]] = []
        # Measured, and not yet held against the model; then what it is to be trained on.
        self.to_review: list[tuple[MeasureInput, MeasureResult]] = []
        self.to_learn: list[tuple[MeasureInput, MeasureResult]] = []
        self.refusal: str | None = None
        # Valid programs made of a donor's program, and of one of this task's own by one move each (means.py).
        self.fitted: dict[tuple[Donor, str], list[StateObject]] = {}
        self.moved: dict[str, list[StateObject]] = {}
        self._seed = settings.seed * 1009 + index
        self.random = random.Random(self._seed)
        self._policies: dict[tuple[int, int], auto_scheduler.SketchPolicy] = {}

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the task's compute DAG before any step."""
        return stages_of(self.task.compute_dag)

    def policy(self, population: int, generations: int) -> auto_scheduler.SketchPolicy:
        """TVM's search policy for populations of that size, evolved so many times."""
        key = (population, generations)
        if key not in self._policies:
            params = {
                "eps_greedy": self.settings.eps_greedy,
                "evolutionary_search_population": population,
                "evolutionary_search_num_iters": generations,
                "sample_init_use_measured_ratio": self.settings.use_measured_ratio,
                "sample_init_min_population": min(50, population),
            }
            self._policies[key] = auto_scheduler.SketchPolicy(
                self.task, self.model.model, params=params, seed=self._seed, verbose=0
            )
        return self._policies[key]

    def best(self, count: int) -> list[StateObject]:
        """The best measured programs, best first."""
        return [state for _, state in sorted(self.measured, key=lambda entry: entry[0])[:count]]

    def scores(self, states: list[StateObject]) -> np.ndarray:
        """What the family's model says of programs [states]; higher is faster."""
        return np.asarray(self.model.model.predict(self.task, states))

    def donations(self, count: int) -> list[tuple[str, Steps]]:
        """The best programs' steps, and a name for each."""
        return [(str(state), steps_of(self.task, state)) for state in self.best(count)]

    def take(self, states: list[StateObject], count: int, origin: Origin, lowered: bool = False) -> list[Candidate]:
        """Candidates from the first `count` states that were never proposed; from now on they count as proposed.

        With `lowered` none is taken that TVM cannot lower: a building of it would fail. `refusal` is the last error;
        who proposes clears it.
        """
        taken: list[Candidate] = []
        for state in states:
            if len(taken) >= count:
                break
            bound = self.bound(state)
            text = str(bound)
            if text not in self.seen:
                self.seen.add(text)
                if not lowered or self._lowers(bound):
                    taken.append(Candidate(bound, origin))
        return taken

    def _lowers(self, state: StateObject) -> bool:
        """Of some tasks, those dense.py mends among them, TVM's rewrite of constant layouts lowers no program.

        A GPU's passes refuse a reduction across threads in an unrolled loop (TVM: lower_thread_allreduce.cc). Only such
        programs go through them here, in hundredths of a second; lowering others can take many seconds.
        """
        try:
            schedule, tensors = self.task.compute_dag.apply_steps_from_state(
                state, layout_rewrite=self.task.layout_rewrite_option
            )
            on_gpu = not on_cpu(self.task.target)
            if on_gpu and _GPU_PASSES and reduces_across_threads(steps_of(self.task, state), self.stages):
                module = tvm.lower(schedule, tensors)
                _GPU_PASSES(module, tvm.target.Target(self.task.target, "llvm"))(module)
        except Exception as error:
            self.refusal = last_line(error)
            return False
        return True

    def bound(self, state: StateObject) -> StateObject:
        """The state with the extents of its loops, as TVM's own object: Python's wrapper of it is not taken back by
        TVM."""
        return self.task.compute_dag.infer_bound_from_state(state).state_object
