"""The engine as a builder and a runner for scripts of TVM's own: `ms.tune_tasks(builder=..., runner=...)`.

TVM builds a round, waits, and runs it. To have programs flow, a builder that a runner of ours was made with builds
nothing: it hands out tickets, and the runner does both.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import weakref
from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tvm.ir.utils import derived_object
from tvm.s_tir.meta_schedule.builder import BuilderInput, BuilderResult, PyBuilder
from tvm.s_tir.meta_schedule.runner import PyRunner, PyRunnerFuture, RunnerInput, RunnerResult

from ..measuring.build import Argument, Built
from ..measuring.device import LocalDevices
from ..measuring.engine import Engine, EngineSettings
from ..measuring.run import Timing
from ..targets import on_cpu
from ..temporary import make_folder, remove_folder
from ..tvm_names import tar
from .programs import ScheduledProgram, argument_of, arguments_of, preload
from .target import MetaTarget

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..measuring.device import Devices
    from ..measuring.failures import Failure
    from ..measuring.program import Measured

# As TVM's LocalBuilder and LocalRunner have them.
_BUILD_SECONDS = _RUN_SECONDS = 30.0
_WHILE_BUILDING = ("instantiation", "compile-host", "build-timeout")

_log = logging.getLogger(__name__)
T = TypeVar("T")


@derived_object
class StreamingBuilder(PyBuilder):
    """Builds in processes that stay up, with TVM loaded once. With TVM's own runners it builds as TVM's builder does.

    Made into a runner, `StreamingRunner(builder)`, programs flow from one to the other.
    """

    def __init__(self, settings: EngineSettings | None = None) -> None:
        super().__init__()
        self.stream = _Stream(settings or EngineSettings(build_timeout=_BUILD_SECONDS))

    def build(self, build_inputs: Sequence[BuilderInput]) -> list[BuilderResult]:
        """Raises InstallationError if no builder can be started."""
        programs = [_program(one) for one in build_inputs]
        if self.stream.flows:
            return [BuilderResult(self.stream.ticket(program), None) for program in programs]
        begun = [self.stream.engine(program).build(program) for program in programs]
        return [self._result(built) for built in _results(begun)]

    def close(self) -> None:
        """Ends all processes, which end with this one too."""
        self.stream.close()

    def _result(self, built: Built) -> BuilderResult:
        if built.failure is None:
            return BuilderResult(built.path, None)
        return BuilderResult(None, _said(built.failure, self.stream.settings.build_timeout))


@derived_object
class StreamingRunner(PyRunner):
    """Runs programs in processes that stay up, as TVM's runner times them unless `timing` says otherwise.

    `builder` is the one that hands it programs; without one it runs what any builder of TVM's has built. `devices` are
    this machine, or what `familyseer.measuring.make_devices` gives. While programs are timed on this machine's CPU,
    `run` waits for them, as TVM's LocalRunner does, so that no search disturbs them.
    """

    def __init__(
        self,
        builder: StreamingBuilder | None = None,
        timing: Timing | None = None,
        devices: Devices | None = None,
    ) -> None:
        super().__init__()
        if builder is not None and not isinstance(builder, StreamingBuilder):
            raise TypeError(f"StreamingRunner was given {builder!r}. Expected a StreamingBuilder, or none.")
        self._stream = _Stream(EngineSettings()) if builder is None else builder.stream
        self._stream.serve(devices)
        self._timing = timing or Timing(timeout=_RUN_SECONDS)

    def run(self, runner_inputs: Sequence[RunnerInput]) -> list[Any]:
        """Futures of TVM's [runner_inputs]. Raises InstallationError if no runner can be started."""
        begun = [self._begin(one) for one in runner_inputs]
        if any(on_cpu(_kind(one)) for one in runner_inputs) and self._stream.is_here:
            _results(begun)
        for line in self._stream.notices():
            _log.warning(line)
        build_timeout = self._stream.settings.build_timeout
        return [_StreamingFuture(future, build_timeout, self._timing.timeout) for future in begun]

    def close(self) -> None:
        """Ends all processes, also the builder's; they end with this one too."""
        self._stream.close()

    def _begin(self, one: RunnerInput) -> Future[Measured]:
        path = str(one.artifact_path)
        program = self._stream.taken(path)
        if program is not None:
            return self._stream.engine(program).submit(program, self._timing)
        arguments = tuple(map(argument_of, one.args_info))
        built = self._stream.borrowed(Path(path), arguments)
        return self._stream.engine().submit(_BuiltProgram(arguments, _kind(one)), self._timing, built)


@derived_object
class _StreamingFuture(PyRunnerFuture):
    def __init__(self, future: Future[Measured], build_timeout: float, run_timeout: float) -> None:
        super().__init__()
        self._future = future
        self._build_timeout = build_timeout
        self._run_timeout = run_timeout

    def done(self) -> bool:
        return self._future.done()

    def result(self) -> RunnerResult:
        measured = self._future.result()
        failure = measured.failure
        if failure is None:
            return RunnerResult(list(measured.costs), None)
        return RunnerResult(None, _said(failure, self._build_timeout, self._run_timeout))


@dataclass(frozen=True, eq=False)
class _BuiltProgram:
    """What another builder built (measuring/program.py, Program); of its task nothing is known but the arguments."""

    arguments: tuple[Argument, ...]
    target: str

    @property
    def task(self) -> str:
        return str(self.arguments)

    @property
    def words(self) -> str:
        return _words(self.arguments)

    def build_request(self, link: Any) -> Any:
        raise NotImplementedError

    def values(self, arguments: tuple[Argument, ...]) -> tuple[NDArray[Any] | None, ...]:
        return (None,) * len(arguments)


class _Stream:
    """What a builder and a runner share: the engine, begun with the first program, and the tickets."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self.flows = False
        self._devices: Devices | None = None
        self._engine: Engine | None = None
        self._tickets: dict[str, ScheduledProgram] = {}
        self._folder = make_folder("familyseer-streaming-")
        # A second call of either does nothing.
        self._remove_folder = weakref.finalize(self, remove_folder, self._folder)
        self._close_engine: Any = None

    @property
    def is_here(self) -> bool:
        """Whether programs for CPUs are timed on this machine's."""
        return self._devices is None or self._devices.here

    def serve(self, devices: Devices | None) -> None:
        """A runner takes what is built from now on. Raises RuntimeError where something was built before."""
        if self._engine is not None:
            raise RuntimeError("This StreamingBuilder has built already. Make its StreamingRunner before that.")
        self.flows, self._devices = True, devices

    def engine(self, first: ScheduledProgram | None = None) -> Engine:
        if self._engine is None:
            settings = self.settings
            if not self.flows and settings.build_func == "default":
                # As TVM's builder packs for a runner that may be anywhere.
                settings = replace(settings, build_func=tar.tar)
            needed = () if first is None else preload(first.tvm_target.tvm)
            self._engine = Engine(settings, self._devices or LocalDevices(), needed)
            self._close_engine = weakref.finalize(self, self._engine.close)
        return self._engine

    def ticket(self, program: ScheduledProgram) -> str:
        """A path for a program that is not built. It has a folder of its own, which TVM removes afterwards."""
        path = str(Path(self._own_folder(), "ticket"))
        self._tickets[path] = program
        return path

    def taken(self, path: str) -> ScheduledProgram | None:
        """The program of a ticket; None for what another builder built."""
        return self._tickets.pop(path, None)

    def borrowed(self, path: Path, arguments: tuple[Argument, ...]) -> Built:
        """What another builder built, for the engine, which removes what it has run: the file itself is TVM's."""
        link = Path(self._own_folder(), path.name)
        link.symlink_to(path.absolute())
        return Built(str(link.parent), link.name, arguments, None, 0.0, 0.0)

    def notices(self) -> list[str]:
        return [] if self._engine is None else self._engine.notices()

    def close(self) -> None:
        if self._close_engine is not None:
            self._close_engine()
        self._remove_folder()

    def _own_folder(self) -> str:
        return tempfile.mkdtemp(dir=self._folder)


def _program(one: BuilderInput) -> ScheduledProgram:
    arguments: tuple[Argument, ...] = ()
    # What is wrong with a module without arguments is its builder's to say.
    with contextlib.suppress(Exception):
        arguments = arguments_of(one.mod)
    # The engine needs no more of a target's text than its kind.
    target = MetaTarget(str(one.target.kind.name), one.target)
    return ScheduledProgram(str(arguments), _words(arguments), one.mod, target)


def _words(arguments: tuple[Argument, ...]) -> str:
    return "a program of " + ", ".join(f"{each.dtype}{list(each.shape)}" for each in arguments)


def _kind(one: RunnerInput) -> str:
    """A target of the kind that a program is for: TVM's runners are told the device alone."""
    device = str(one.device_type)
    return "llvm" if device == "cpu" else device


def _results(begun: list[Future[T]]) -> list[T]:
    try:
        wait(begun)
        return [future.result() for future in begun]
    except BaseException:
        # An interrupted job leaves nothing to measure.
        for future in begun:
            future.cancel()
        raise


def _said(failure: Failure, build_timeout: float, run_timeout: float = 0.0) -> str:
    """A failure as TVM's builder and runner tell it."""
    who, limit = ("Builder", build_timeout) if failure.kind in _WHILE_BUILDING else ("Runner", run_timeout)
    if failure.kind in ("build-timeout", "run-timeout"):
        return f"Streaming{who}: Timeout, killed after {limit:g} seconds"
    return f"Streaming{who}: An exception occurred\n{failure.message}"
