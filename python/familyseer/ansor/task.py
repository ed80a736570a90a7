"""A task of TVM's auto-scheduler, as the rest of the worker knows tasks (backend.py); its programs are TVM's states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import tvm
from tvm.auto_scheduler import MeasureInput

from ..backend import Description
from ..errors import last_line
from ..learning.draft import draft_scores
from ..targets import on_cpu
from . import features
from .core_operation import core_operation, task_words, tiled_stage
from .explorer import SketchExplorer
from .fitting import fitted
from .neighbours import UNROLL_CPU, UNROLL_GPU, neighbours
from .programs import AnsorProgram, scheduled
from .records import Record, record_of
from .results import measure_result
from .steps import Stage, Steps, reduces_across_threads, stages_of, state_of, steps_of
from .tasks import dag_hash, similarity_tags

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tvm.auto_scheduler import SearchTask
    from tvm.auto_scheduler.loop_state import StateObject

    from ..backend import OwnModel
    from ..measuring.program import Measured

_GPU_PASSES = tvm.get_global_func("driver.mixed_mod_passes", allow_missing=True)


@dataclass(frozen=True)
class Schedule:
    """A program's steps, and the stages of the task that they are of."""

    stages: tuple[Stage, ...]
    steps: Steps


class AnsorTask:
    """A search task, and its place among a network's (backend.py, `Task`)."""

    def __init__(self, number: int, search_task: SearchTask) -> None:
        self.number = number
        self.search_task = search_task

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the task's compute DAG before any step."""
        return stages_of(self.search_task.compute_dag)

    def describe(self) -> Description:
        dag = self.search_task.compute_dag
        return Description(
            self.search_task.workload_key,
            dag_hash(self.search_task.workload_key),
            tiled_stage(dag),
            self.search_task.desc,
            core_operation(dag),
            task_words(dag),
            float(dag.flop_ct),
            similarity_tags(dag),
        )

    def explorer(self, model: OwnModel, seed: int) -> SketchExplorer:
        return SketchExplorer(self.search_task, model.model, seed)

    def finished(self, program: StateObject) -> StateObject:
        """The state with the extents of its loops, as TVM's own object: Python's wrapper of it is not taken back by
        TVM."""
        return self.search_task.compute_dag.infer_bound_from_state(program).state_object

    def key(self, program: StateObject) -> str:
        return str(program)

    def refusal(self, program: StateObject) -> str | None:
        """Of some tasks, those dense.py mends among them, TVM's rewrite of constant layouts lowers no program.

        A GPU's passes refuse a reduction across threads in an unrolled loop (TVM: lower_thread_allreduce.cc). Only such
        programs go through them here, in hundredths of a second; lowering others can take many seconds.
        """
        task = self.search_task
        try:
            schedule, tensors = scheduled(task, program)
            on_gpu = not on_cpu(task.target)
            if on_gpu and _GPU_PASSES and reduces_across_threads(steps_of(task, program), self.stages):
                module = tvm.lower(schedule, tensors)
                _GPU_PASSES(module, tvm.target.Target(task.target, "llvm"))(module)
        except Exception as error:
            return last_line(error)
        return None

    def features(self, programs: Sequence[StateObject]) -> list[NDArray[Any]]:
        """[stores, 164] of each program."""
        return features.of_states(programs, self.search_task)

    def draft(self, programs: Sequence[StateObject]) -> NDArray[Any]:
        task = self.search_task
        kind, cores = task.target.kind.name, task.hardware_params.num_cores
        return draft_scores(self.features(programs), features.columns(), kind, cores)

    def schedule(self, program: StateObject) -> Schedule:
        return Schedule(self.stages, steps_of(self.search_task, program))

    def fit(self, schedule: Schedule) -> list[StateObject]:
        return self._valid(fitted(schedule.steps, schedule.stages, self.stages))

    def neighbours(self, program: StateObject) -> list[StateObject]:
        unroll = UNROLL_CPU if on_cpu(self.search_task.target) else UNROLL_GPU
        return self._valid(neighbours(steps_of(self.search_task, program), self.stages, unroll))

    def measurable(self, program: StateObject) -> AnsorProgram:
        return AnsorProgram(MeasureInput(self.search_task, program))

    def record(self, program: StateObject, measured: Measured) -> Record:
        return record_of(self.number, MeasureInput(self.search_task, program), measure_result(measured))

    def _valid(self, schedules: Sequence[Steps]) -> list[StateObject]:
        states = (state_of(self.search_task, steps) for steps in schedules)
        return [state for state in states if state is not None]
