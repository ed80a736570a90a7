"""MetaSchedule's programs as the engine takes them: how to build and to run one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..measuring.build import Argument, BuildRequest
    from .target import MetaTarget

# What builders need beside TVM.
PRELOAD = (__name__,)


@dataclass(frozen=True, eq=False)
class ScheduledProgram:
    """A schedule of a task (measuring/program.py, Program): `task` is the workload's key, `words` are for people."""

    task: str
    words: str
    schedule: Any
    tvm_target: MetaTarget

    @property
    def target(self) -> str:
        return self.tvm_target.text

    def build_request(self, link: Callable[..., Any]) -> BuildRequest:
        raise NotImplementedError

    def values(self, arguments: tuple[Argument, ...]) -> tuple[NDArray[Any] | None, ...]:
        return (None,) * len(arguments)
