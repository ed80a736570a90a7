"""Moves programs from build to run, each as soon as a builder or a device is free; results come as they are done."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, Callable

from .build import Built, link_function
from .builders import Builders
from .cpus import Cpus
from .device import Devices, LocalDevices
from .disturbance import Retiming
from .early_ending import EarlyEnding
from .fork_server import ForkServer
from .giving_way import GivingWay
from .program import Measured, Program, Queued, failed
from .run import Timing
from .runners import Runners
from .turns import Turns
from .waiting import Waiting


@dataclass(frozen=True)
class EngineSettings:
    """How programs are built, and which are not built or timed to the end; times in seconds."""

    builders: int = 0
    """Programs built at once; 0: as many as there are CPUs."""
    build_timeout: float = 15
    build_func: str | Callable[..., Any] = "default"
    adaptive_build_timeout: bool = False
    """Give a build up that takes many times as long as the task's others."""
    worse_ratio: float | None = None
    """Do not time a program further that is, in its first run, so many times slower than the task's best."""
    retime: bool = False
    """Time programs again that other work disturbed, where they may be their task's best."""
    threads: int | None = None
    """Threads that a program on this machine's CPU runs on, a CPU each; None: as TVM chooses."""
    memory_limit: int = 0
    """Bytes that a builder or a program on this machine's CPU may take; 0: half of what the machine has."""


class Engine:
    """Measures the programs it is given, on a thread of its own, in the order they were given in.

    What goes wrong with a program, also what crashes or hangs its builder or runner, is in its result.
    """

    def __init__(self, settings: EngineSettings, devices: Devices | None = None, preload: Sequence[str] = ()) -> None:
        """`preload`: modules that building the tuner's programs needs, loaded once for all builders.

        Raises InstallationError if no builder can be started, ValueError for an unknown build_func.
        """
        self._devices = devices or LocalDevices()
        link = link_function(settings.build_func, self._devices.here)
        cpus = Cpus(settings.threads)
        memory = settings.memory_limit or half_of_memory()
        early_ending = EarlyEnding(settings.build_timeout, settings.adaptive_build_timeout, settings.worse_ratio)
        self._giving_way = GivingWay(cpus)
        self._turns = Turns()
        self._server = ForkServer(preload)
        self._waiting = Waiting()
        self._builders = Builders(self._server, settings.builders or len(cpus.all), link, memory, early_ending)
        self._runners = Runners(
            self._server,
            self._devices,
            cpus.bound,
            memory,
            early_ending,
            Retiming(settings.retime),
            self._giving_way,
            self._turns,
        )
        self._wake_receiver, self._wake_sender = Pipe(duplex=False)
        self._closing = False
        self._failure: Exception | None = None
        self._devices.on_change(self._wake)
        self._thread = threading.Thread(target=self._serve, name="familyseer measuring", daemon=True)
        self._thread.start()

    def submit(
        self, program: Program, timing: Timing, built: Built | None = None, hold: bool = False
    ) -> Future[Measured]:
        """Measures a program, `built` by another or still to be built; one whose future is cancelled before it is begun
        is not measured. With `hold` it is built, but does not run before `release`."""
        return self._submit(Queued(program, timing, built=built, held=hold))

    def build(self, program: Program) -> Future[Built]:
        """Builds a program and does not run it. What was built is the caller's, until the engine is closed."""
        return self._submit(Queued(program, Timing(), build_alone=True))

    def release(self, future: Future[Measured]) -> None:
        """Lets a program run that was submitted on hold."""
        self._waiting.release(future)
        self._wake()

    def notices(self) -> list[str]:
        """What the user is to be told of devices and of other jobs on them since this was last asked, a line each."""
        return [*self._devices.notices(), *self._turns.notices()]

    def close(self) -> None:
        """Ends all processes; the futures of programs that are not measured yet fail."""
        self._closing = True
        self._wake()
        self._thread.join()

    def _submit(self, queued: Queued) -> Future[Any]:
        if self._failure is not None:
            raise self._failure
        self._waiting.submit(queued)
        self._wake()
        if self._failure is not None:
            self._fail_all(self._failure)
        return queued.future

    def _wake(self) -> None:
        self._wake_sender.send_bytes(b"")

    # ---- on the engine's own thread ----

    def _serve(self) -> None:
        try:
            while not self._closing:
                self._waiting.accept(self._take_built)
                self._begin_builds()
                self._runners.begin(self._waiting.to_run, self._builders.at_work.values())
                at_work = [*self._builders.at_work, *self._runners.at_work]
                for connection in wait([self._wake_receiver, *at_work], self._patience()):
                    self._read(connection)  # type: ignore[arg-type]
                self._end_overdue()
        except Exception as error:
            self._fail_all(error)
        finally:
            self._end_processes()

    def _patience(self) -> float | None:
        """Seconds until something is overdue, or the devices are to be looked at again."""
        now = time.monotonic()
        left = [
            *self._builders.seconds_left(now),
            *self._runners.seconds_left(now, len(self._waiting.to_run)),
        ]
        return max(0.0, min(left)) if left else None

    def _begin_builds(self) -> None:
        while self._builders.is_one_free():
            program = self._waiting.next_to_build()
            if program is None:
                break
            if program.future.set_running_or_notify_cancel():
                work = self._builders.begin(program)
                if self._runners.is_timing_here():
                    self._giving_way.give_way([work])
            self._waiting.to_build.remove(program)

    def _read(self, connection: Connection) -> None:
        if connection is self._wake_receiver:
            self._wake_receiver.recv_bytes()
        elif connection in self._builders.at_work:
            self._take_built(*self._builders.end(connection))
        else:
            program, measured = self._runners.end(connection)
            if measured is None:
                self._waiting.try_again(program)
            else:
                self._finish(program, measured)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for program, built in self._builders.end_overdue(now):
            self._take_built(program, built)
        for program, measured in self._runners.end_overdue(now):
            self._finish(program, measured)

    def _take_built(self, program: Queued, built: Built) -> None:
        if program.build_alone:
            program.future.set_result(built)
            return
        if built.failure is not None:
            self._finish(program, failed(built.failure, built.seconds, build_cpu_seconds=built.cpu_seconds))
            return
        program.built = built
        self._waiting.is_built(program)

    def _finish(self, program: Queued, measured: Measured) -> None:
        if program.future.done():
            # It was run once more, to compare a device by.
            return
        if program.built is not None and not self._runners.needs(program):
            shutil.rmtree(program.built.folder, ignore_errors=True)
        program.future.set_result(measured)

    def _fail_all(self, error: Exception) -> None:
        """Nothing can be measured any more: whoever waits is told why."""
        self._failure = error
        at_work = [*self._builders.at_work.values(), *self._runners.at_work.values()]
        for program in [*(work.program for work in at_work), *self._waiting.all()]:
            with contextlib.suppress(InvalidStateError):
                program.future.set_exception(error)

    def _end_processes(self) -> None:
        self._runners.kill()
        self._builders.kill()
        self._turns.close()
        self._server.close()
        self._devices.close()
        self._fail_all(self._failure or RuntimeError("The engine was closed before this program was measured."))


def half_of_memory() -> int:
    """How many bytes the programs under test on this machine may take."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
