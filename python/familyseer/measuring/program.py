"""A program on its way through the engine: what a tuner brings of it, and what comes of it."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Protocol

from .disturbance import is_disturbed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .build import Argument, BuildRequest, Built
    from .failures import Failure
    from .run import Ran, Timing


class Program(Protocol):
    """A program to measure, as a tuner brings it. The engine asks it on a thread of its own."""

    @property
    def task(self) -> str:
        """The key of what it computes: times of programs with one key are compared."""

    @property
    def words(self) -> str:
        """What it computes, in words for people."""

    @property
    def target(self) -> str:
        """TVM's text of what it is for."""

    def build_request(self, link: Callable[..., Any]) -> BuildRequest:
        """How a builder makes a library of it; asked for when one is about to."""

    def values(self, arguments: tuple[Argument, ...]) -> tuple[NDArray[Any] | None, ...]:
        """What its arguments must hold [arguments], None for anything; asked for when it is about to run."""


@dataclass(frozen=True)
class Measured:
    """What came of a program. `costs` in seconds, one for each repeat; none of one that failed. Of a program that was
    timed `timings` times they are those of one; `waited` (run.py) is that one's, the seconds are all."""

    costs: tuple[float, ...]
    failure: Failure | None
    all_seconds: float
    timestamp: float
    device: str | None
    build_cpu_seconds: float
    timing_seconds: float
    waited: float | None = None
    timings: int = 1

    @property
    def disturbed(self) -> bool:
        """Whether other work made it seem slower than it is."""
        return is_disturbed(self.waited)


def failed(failure: Failure, seconds: float, device: str | None = None, build_cpu_seconds: float = 0.0) -> Measured:
    """What comes of a program that failed, `seconds` after its build began."""
    return Measured((), failure, seconds, time.time(), device, build_cpu_seconds, 0.0)


@dataclass(eq=False)
class Queued:
    """A program that is being measured: `future` is given its result, `lost_on` are devices that went away with it,
    `timed` is what came of timing it.

    One that is to be built alone does not run, and what was built is its result.
    """

    program: Program
    timing: Timing
    future: Future[Any] = field(default_factory=Future)
    built: Built | None = None
    lost_on: list[str] = field(default_factory=list)
    timed: list[Ran] = field(default_factory=list)
    held: bool = False
    build_alone: bool = False

    @property
    def task(self) -> str:
        return self.program.task

    @property
    def words(self) -> str:
        return self.program.words

    @property
    def target(self) -> str:
        return self.program.target
