"""Timing one built program on one device (TVM: auto_scheduler/measure.py, runtime/profiling.cc)."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

import tvm

from ..targets import kind_of, on_cpu
from ..tvm_names import RANDOM_FILL, array, empty
from .build import Argument
from .cpu_waits import waited_seconds
from .cpus import on_cpus
from .failures import WHILE_LOADING, WHILE_RUNNING, Failure, raised

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Timing:
    """How a program is timed: as TVM's LocalRunner takes it. Seconds; `min_repeat_ms` in milliseconds."""

    timeout: float = 10
    number: int = 3
    repeat: int = 1
    min_repeat_ms: int = 100
    cooldown_interval: float = 0.0
    enable_cpu_cache_flush: bool = False
    device: int = 0


@dataclass(frozen=True)
class RunRequest:
    """`values[i]` is what argument i must hold, None for anything. A program that takes longer than `worse_than`
    seconds in its first run is not timed further. `cpus`: a thread runs on each; none where TVM chooses."""

    path: str
    arguments: tuple[Argument, ...]
    values: tuple[NDArray[Any] | None, ...]
    target: str
    timing: Timing
    worse_than: float | None
    cpus: tuple[int, ...] = ()


@dataclass(frozen=True)
class Ran:
    """`costs` in seconds, one for each repeat; `timing_seconds` is the time the program itself was running. `waited`:
    seconds, for each of these, that its threads waited for CPUs which other work had; None where that is not known."""

    costs: tuple[float, ...]
    failure: Failure | None
    seconds: float
    timing_seconds: float
    waited: float | None = None


class Runner:
    """Times programs in this process, one after the other."""

    def __init__(self) -> None:
        self._arrays = Arrays(tvm.get_global_func)

    def run(self, request: RunRequest) -> Ran:
        """Times a program; what goes wrong with it is in the result."""
        begun = time.monotonic()
        costs: tuple[float, ...] = ()
        failure: Failure | None = None
        timing_seconds, kind = 0.0, WHILE_LOADING
        waited: float | None = None
        try:
            module = tvm.runtime.load_module(request.path)
            device = tvm.device(device_kind(request.target), request.timing.device)
            timer = timer_of(module, device, request.timing)
            kind = WHILE_RUNNING
            arrays = self._arrays.of(request, device)
            with on_cpus(request.cpus):
                before = _waited(request)
                timing_begun = time.monotonic()
                costs = costs_of(module, device, timer, arrays, request)
                timing_seconds = time.monotonic() - timing_begun
                after = _waited(request)
            waited = None if before is None or after is None else max(0.0, after - before) / timing_seconds
        except Exception:
            costs, failure = (), raised(kind)
        seconds = time.monotonic() - begun
        time.sleep(request.timing.cooldown_interval)
        return Ran(costs, failure, seconds, timing_seconds, waited)


class Arrays:
    """Arrays for programs' arguments. The programs of a task take the same, so they are kept from one to the next."""

    def __init__(self, function: Callable[[str], Any]) -> None:
        """`function` finds a function of TVM by its name where the arrays are."""
        self._function = function
        self._wanted: Any = None
        self._arrays: list[Any] = []

    def of(self, request: RunRequest, device: Any) -> list[Any]:
        wanted = (request.arguments, request.target, request.timing.device)
        if self._wanted != wanted:
            self._wanted, self._arrays = None, []
            self._arrays = _random_arrays(request.arguments, device, self._function(RANDOM_FILL))
            self._wanted = wanted
        given = zip(self._arrays, request.values)
        return [filled if value is None else array(value, device) for filled, value in given]


def _random_arrays(arguments: tuple[Argument, ...], device: Any, fill: Any) -> list[Any]:
    arrays = []
    for argument in arguments:
        filled = empty(argument.shape, argument.dtype, device)
        fill(filled)
        arrays.append(filled)
    device.sync()
    return arrays


def _waited(request: RunRequest) -> float | None:
    """Programs on GPUs are timed there, whatever else this machine's CPUs do."""
    return waited_seconds(request.cpus or os.sched_getaffinity(0)) if on_cpu(request.target) else None


def device_kind(target: str) -> str:
    """TVM's name of what programs for a target run on."""
    return "cpu" if on_cpu(target) else kind_of(target)


def timer_of(module: Any, device: Any, timing: Timing) -> Any:
    return module.time_evaluator(
        module.entry_name,
        device,
        number=timing.number,
        repeat=timing.repeat,
        min_repeat_ms=timing.min_repeat_ms,
        f_preproc="cache_flush_cpu_non_first_arg" if timing.enable_cpu_cache_flush else "",
    )


def costs_of(module: Any, device: Any, timer: Any, arrays: list[Any], request: RunRequest) -> tuple[float, ...]:
    """Seconds of each repeat; of a program that is clearly worse than its task's best, of one run (early_ending.py)."""
    if request.worse_than is not None:
        once = module.time_evaluator(module.entry_name, device, number=1, repeat=1)
        first = once(*arrays).results
        if first[0] > request.worse_than:
            return tuple(first)
    return tuple(timer(*arrays).results)
