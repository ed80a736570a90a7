"""MetaSchedule's programs as the engine takes them: how to build and to run one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tvm
from tvm.driver import build
from tvm.s_tir.meta_schedule.arg_info import ArgInfo
from tvm.s_tir.transform import RemoveWeightLayoutRewriteBlock

from ..measuring.build import Argument, BuildRequest, Compiled
from . import intrinsics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .target import MetaTarget


def preload(target: tvm.target.Target) -> tuple[str, ...]:
    """What builders of programs for a target need beside TVM."""
    return f"{__package__}.builder_process", *intrinsics.modules(target)


@dataclass(frozen=True, eq=False)
class ScheduledProgram:
    """A scheduled module of a task (measuring/program.py, Program): `task` is the task's key, `words` are for people.

    A builder is sent the module itself, pickled (20 to 30 KB): 1.0 to 1.4 ms to write and 0.3 to 0.7 to read, where a
    trace takes 2.5 ms to be applied, and JSON 2.8 to 3.9 to be read.
    """

    task: str
    words: str
    module: tvm.IRModule
    tvm_target: MetaTarget

    @property
    def target(self) -> str:
        return self.tvm_target.text

    def build_request(self, link: Callable[..., Any]) -> BuildRequest:
        return BuildRequest(instantiate, (self.module, self.tvm_target.tvm), link)

    def values(self, arguments: tuple[Argument, ...]) -> tuple[NDArray[Any] | None, ...]:
        return (None,) * len(arguments)


def instantiate(payload: tuple[tvm.IRModule, tvm.target.Target]) -> Callable[[], Compiled]:
    """Of a scheduled module and its target, what compiles it (TVM: builder/local_builder.py, default_build)."""
    module, target = payload
    intrinsics.load(target)
    arguments = arguments_of(module)

    def compile_it() -> Compiled:
        as_run = RemoveWeightLayoutRewriteBlock(skip_tensor_rewrite=True)(module)
        # TVM compiles CUDA for the arch of the target it is within.
        with target:
            return Compiled(build(as_run, target=target), arguments)

    return compile_it


def arguments_of(module: tvm.IRModule) -> tuple[Argument, ...]:
    """What a scheduled module's function is called with; raises ValueError where an extent is not known."""
    return tuple(map(argument_of, ArgInfo.from_entry_func(module, remove_preproc=True)))


def argument_of(info: ArgInfo) -> Argument:
    return Argument(tuple(int(extent) for extent in info.shape), str(info.dtype))
