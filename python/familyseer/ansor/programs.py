"""Ansor's programs as the engine takes them: how to build and to run one, and what the simulated GPU asks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import tvm
from tvm import transform
from tvm.auto_scheduler.measure import BuildResult, MeasureInput, prepare_runner_args
from tvm.target import Target

from ..gpu_limits import GPU_LIMITS
from ..measuring.build import Argument, BuildRequest, Compiled
from . import features

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tvm.auto_scheduler import SearchTask
    from tvm.auto_scheduler.loop_state import StateObject

# What builders need beside TVM.
PRELOAD = (__name__,)


@dataclass(frozen=True, eq=False)
class AnsorProgram:
    """A state of a task (measuring/program.py, Program; simulated/gpu.py, SimulatedProgram)."""

    input: MeasureInput

    @cached_property
    def task(self) -> str:
        return str(self.input.task.workload_key)

    @cached_property
    def words(self) -> str:
        return str(self.input.task.desc or self.task)

    @cached_property
    def target(self) -> str:
        return str(self.input.task.target)

    def build_request(self, link: Callable[..., Any]) -> BuildRequest:
        return BuildRequest(instantiate, self.input.serialize(), link)

    def values(self, arguments: tuple[Argument, ...]) -> tuple[NDArray[Any] | None, ...]:
        """Anything, but for tasks with inputs of their own (TVM's `task_inputs`)."""
        one = self.input
        if not one.task.task_input_names:
            return (None,) * len(arguments)
        _schedule, tensors = scheduled(one.task, one.state)
        return tuple(prepare_runner_args(one, BuildResult("", list(tensors), 0, "", 0)))

    def lowered(self) -> tvm.IRModule:
        return tvm.driver.build_module.schedule_to_module(*scheduled(self.input.task, self.input.state))

    def refusal(self) -> str | None:
        # TVM gives no features for what it cannot lower, or what VerifyGPUCode finds beyond the limits of a block
        # (TVM: src/auto_scheduler/feature.cc).
        if np.any(features.of_states([self.input.state], self.input.task)[0]):
            return None
        limits = ", ".join(f"{name} {value}" for name, value in GPU_LIMITS.items() if name.startswith("max_"))
        return f"TVM's VerifyGPUCode finds that this program exceeds a limit of the GPU ({limits})."


def instantiate(serialized: Any) -> Callable[[], Compiled]:
    """Of what `MeasureInput.serialize` gives, what compiles it."""
    one = MeasureInput.deserialize(serialized)
    task = one.task
    target = task.target if task.target_host is None else Target(task.target, task.target_host)
    schedule, tensors = scheduled(task, one.state)

    def compile_it() -> Compiled:
        with transform.PassContext().current():
            module = tvm.build(schedule, tensors, target=target)
        return Compiled(module, arguments_of(tensors))

    return compile_it


def arguments_of(tensors: Iterable[Any]) -> tuple[Argument, ...]:
    return tuple(Argument(tuple(int(extent) for extent in each.shape), str(each.dtype)) for each in tensors)


def scheduled(task: SearchTask, state: StateObject) -> tuple[Any, list[Any]]:
    """TVM's schedule, and the tensors that the program is called with."""
    schedule, tensors = task.compute_dag.apply_steps_from_state(state, layout_rewrite=task.layout_rewrite_option)
    return schedule, tensors
