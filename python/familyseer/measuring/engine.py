"""Moves programs from build to run, each as soon as a builder or a device is free; results come as they are done."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import shutil
import statistics
import threading
import time
from collections import defaultdict, deque
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, Callable

from tvm.auto_scheduler.measure import BuildResult, MeasureErrorNo, MeasureInput, MeasureResult, prepare_runner_args

from .build import BuildRequest, Built, link_function
from .cpus import Cpus
from .device import Device, Devices, LocalDevices
from .fork_server import Child, ForkServer
from .run import FAILED_COST, Ran, RunRequest, Timing
from .run_remote import Lost
from .speeds import Speeds
from .turns import ASK_SECONDS, Turns

# Builds of a task that must have ended before its build time limit adapts, and how many times as long as their median
# a build may then take, but no less than so many seconds.
_BUILDS_KNOWN = 4
_TIMES_MEDIAN = 8
_LEAST_LIMIT = 1.0
# A program that so many devices were lost with is not tried on another.
_DEVICES_LOST = 2
# How long programs on servers may go on when the engine is closed.
_SERVERS_SECONDS = 3.0


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
    threads: int | None = None
    """Threads that a program on this machine's CPU runs on, a CPU each; None: as TVM chooses."""
    memory_limit: int = 0
    """Bytes that a builder or a program on this machine's CPU may take; 0: half of what the machine has."""


@dataclass(frozen=True)
class Measured:
    """A program that was measured. `costs` in seconds, one for each repeat; `error_no` as TVM's MeasureErrorNo."""

    costs: tuple[float, ...]
    error_no: int
    error_msg: str | None
    all_seconds: float
    timestamp: float
    device: str | None
    build_cpu_seconds: float
    timing_seconds: float

    def result(self) -> MeasureResult:
        return MeasureResult(list(self.costs), self.error_no, self.error_msg, self.all_seconds, self.timestamp)


@dataclass(eq=False)
class _Program:
    one: MeasureInput
    timing: Timing
    future: Future[Measured] = field(default_factory=Future)
    built: Built | None = None
    lost_on: list[str] = field(default_factory=list)
    held: bool = False

    @property
    def task(self) -> str:
        return self.one.task.workload_key

    @property
    def words(self) -> str:
        return self.one.task.desc or self.task

    @property
    def target(self) -> str:
        return str(self.one.task.target)


@dataclass(eq=False)
class _Work:
    """A program that a builder or runner is at, until when it may be."""

    child: Child
    program: _Program
    begun: float
    limit: float
    device: Device | None = None
    paused_at: float | None = None
    paused_seconds: float = 0.0

    def seconds(self, now: float) -> float:
        """How long it has been at work, pauses not counted."""
        return (self.paused_at if self.paused_at is not None else now) - self.begun - self.paused_seconds


class Engine:
    """Measures the programs it is given, on a thread of its own, in the order they were given in.

    What goes wrong with a program, also what crashes or hangs its builder or runner, is in its result.
    """

    def __init__(self, settings: EngineSettings, devices: Devices | None = None) -> None:
        """Raises InstallationError if no builder can be started, ValueError for an unknown build_func."""
        self._settings = settings
        self._devices = devices or LocalDevices()
        self._link = link_function(settings.build_func, self._devices.here)
        self._cpus = Cpus(settings.threads)
        self._memory = settings.memory_limit or half_of_memory()
        self._server = ForkServer()
        self._builder_count = settings.builders or len(self._cpus.all)
        self._idle_builders: list[Child] = []
        self._runners: dict[str, Child] = {}
        self._to_build: deque[_Program] = deque()
        self._to_run: deque[_Program] = deque()
        self._on_hold: dict[Future[Measured], _Program] = {}
        self._released: deque[Future[Measured]] = deque()
        self._building: dict[Connection, _Work] = {}
        self._running: dict[Connection, _Work] = {}
        self._build_seconds: dict[str, list[float]] = defaultdict(list)
        self._best: dict[str, float] = {}
        self._speeds: Speeds[_Program] = Speeds(self._devices.tell)
        self._turns = Turns()
        self._submitted: deque[_Program] = deque()
        self._wake_receiver, self._wake_sender = Pipe(duplex=False)
        self._closing = False
        self._failure: Exception | None = None
        self._devices.on_change(self._wake)
        self._thread = threading.Thread(target=self._serve, name="familyseer measuring", daemon=True)
        self._thread.start()

    def submit(
        self, one: MeasureInput, timing: Timing, built: Built | None = None, hold: bool = False
    ) -> Future[Measured]:
        """Measures a program, `built` by another or still to be built; one whose future is cancelled before it is begun
        is not measured. With `hold` it is built, but does not run before `release`."""
        program = _Program(one, timing, built=built, held=hold)
        if self._failure is not None:
            raise self._failure
        self._submitted.append(program)
        self._wake()
        if self._failure is not None:
            self._fail_all(self._failure)
        return program.future

    def release(self, future: Future[Measured]) -> None:
        """Lets a program run that was submitted on hold."""
        self._released.append(future)
        self._wake()

    def notices(self) -> list[str]:
        """What the user is to be told of devices and of other jobs on them since this was last asked, a line each."""
        return [*self._devices.notices(), *self._turns.notices()]

    def close(self) -> None:
        """Ends all processes; the futures of programs that are not measured yet fail."""
        self._closing = True
        self._wake()
        self._thread.join()

    def _wake(self) -> None:
        self._wake_sender.send_bytes(b"")

    # ---- on the engine's own thread ----

    def _serve(self) -> None:
        try:
            while not self._closing:
                # A program is submitted before it is released: what is released by now is accepted before that counts.
                released = [self._released.popleft() for _ in range(len(self._released))]
                while self._submitted:
                    self._accept(self._submitted.popleft())
                for future in released:
                    self._let_run(future)
                self._begin_builds()
                self._begin_runs()
                for connection in wait([self._wake_receiver, *self._building, *self._running], self._patience()):
                    if connection is self._wake_receiver:
                        self._wake_receiver.recv_bytes()
                    elif connection in self._building:
                        self._end_build(self._building.pop(connection))
                    else:
                        self._end_run(self._running.pop(connection))
                self._end_overdue()
        except Exception as error:
            self._fail_all(error)
        finally:
            self._end_processes()

    def _patience(self) -> float | None:
        """Seconds until something is overdue, or the devices are to be looked at again."""
        now = time.monotonic()
        left = [self._limit(work) - work.seconds(now) for work in self._at_work() if work.paused_at is None]
        if self._to_run and len(self._running) == 0:
            left.append(0.5)
        if self._turns.are_awaited():
            left.append(ASK_SECONDS)
        return max(0.0, min(left)) if left else None

    def _at_work(self) -> list[_Work]:
        return [*self._building.values(), *self._running.values()]

    def _accept(self, program: _Program) -> None:
        if program.held:
            self._on_hold[program.future] = program
        if program.built is None:
            self._to_build.append(program)
        elif program.future.set_running_or_notify_cancel():
            self._take_built(program, program.built)

    def _take_built(self, program: _Program, built: Built) -> None:
        if built.error_no != MeasureErrorNo.NO_ERROR:
            self._finish_failed(
                program, built.error_no, built.error_msg, built.seconds, build_cpu_seconds=built.cpu_seconds
            )
            return
        program.built = built
        if program.held:
            return
        self._to_run.append(program)

    def _let_run(self, future: Future[Measured]) -> None:
        program = self._on_hold.pop(future, None)
        if program is None or future.done():
            return
        program.held = False
        if program.built is not None:
            self._to_run.append(program)

    def _begin_builds(self) -> None:
        while self._to_build and len(self._building) < self._builder_count:
            program = self._to_build[0]
            if program.future.set_running_or_notify_cancel():
                idle = self._idle_builders.pop() if self._idle_builders else None
                question = BuildRequest(program.one.serialize(), self._link)
                child = self._put_to_work(idle, question, "build", self._memory)
                work = _Work(child, program, time.monotonic(), self._settings.build_timeout)
                self._building[child.connection] = work
                if self._timing_here():
                    self._give_way(work)
            self._to_build.popleft()

    def _put_to_work(self, idle: Child | None, question: object, duty: str, memory: int | None) -> Child:
        """Asks the idle process, or, where there is none or it has died, a new one."""
        if idle is not None:
            try:
                idle.ask(question)
                return idle
            except OSError:
                idle.kill()
        child = self._server.fork(duty, memory)
        child.ask(question)
        return child

    def _end_build(self, work: _Work) -> None:
        program = work.program
        # One that had answered when a timing began was stopped all the same, perhaps within its answer; from here on it
        # waits for its next program.
        self._resume(work)
        try:
            built: Built = work.child.answer()
        except (EOFError, OSError):
            work.child.kill()
            message = "The builder ended while it built this program."
            self._finish_failed(program, MeasureErrorNo.COMPILE_HOST, message, work.seconds(time.monotonic()))
            return
        self._idle_builders.append(work.child)
        if built.error_no == MeasureErrorNo.NO_ERROR:
            self._build_seconds[program.task].append(work.seconds(time.monotonic()))
        self._take_built(program, built)

    def _begin_runs(self) -> None:
        busy = {work.device.name for work in self._running.values() if work.device}
        devices = self._devices.now(0 if self._timing_here() else len(self._to_run))
        for name in self._runners.keys() - {device.name for device in devices}:
            self._runners.pop(name).kill()
        for device in devices:
            program = None if device.name in busy else self._next_for(device)
            if program is None:
                continue
            exclusive = device.exclusive(program.target)
            if exclusive and self._timing_here():
                continue
            if not self._turns.take(device.timed_on(program.target, program.timing.device)):
                continue
            self._begin_run(program, device, exclusive)
            if not program.future.done():
                self._to_run.remove(program)
        if not self._timing_here():
            self._take_back()

    def _next_for(self, device: Device) -> _Program | None:
        """A program that waits, or one that was measured elsewhere already, to compare the device by."""
        if not self._to_run or not device.compared(self._to_run[0].target):
            return self._to_run[0] if self._to_run else None
        return self._speeds.choose(device.name, self._to_run)

    def _begin_run(self, program: _Program, device: Device, exclusive: bool) -> None:
        assert program.built is not None
        request = RunRequest(
            str(Path(program.built.folder, program.built.library)),
            program.built.arguments,
            _values(program),
            program.target,
            program.timing,
            None if program.future.done() else self._worse_than(program.task),
            self._cpus.bound if exclusive else (),
        )
        if exclusive:
            for work in self._building.values():
                self._give_way(work)
        idle = self._runners.pop(device.name, None)
        # A GPU's driver maps more than there is.
        memory = self._memory if exclusive else None
        child = self._put_to_work(idle, device.question(request), device.duty, memory)
        if exclusive and self._cpus.others:
            self._cpus.confine(child.pid, self._cpus.timing)
        limit = program.timing.timeout + device.extra_seconds
        self._running[child.connection] = _Work(child, program, time.monotonic(), limit, device)

    def _end_run(self, work: _Work) -> None:
        program, device = work.program, work.device
        assert program.built is not None and device is not None
        try:
            ran: Ran | Lost = work.child.answer()
        except (EOFError, OSError):
            work.child.kill()
            self._ended(work, None)
            message = "The runner ended while it ran this program."
            self._finish_failed(program, MeasureErrorNo.RUNTIME_DEVICE, message, work.seconds(time.monotonic()), device)
            return
        self._ended(work, ran)
        if isinstance(ran, Lost):
            work.child.kill()
            self._try_elsewhere(program, device, ran)
            return
        if ran.error_no == MeasureErrorNo.NO_ERROR:
            self._runners[device.name] = work.child
            cost = statistics.fmean(ran.costs)
            self._best[program.task] = min(cost, self._best.get(program.task, math.inf))
        elif ran.error_no == MeasureErrorNo.RUN_TIMEOUT:
            work.child.leave()
        else:
            # What a failed program left behind in its process is not the next one's to meet.
            work.child.kill()
        self._finish(
            program,
            Measured(
                ran.costs,
                ran.error_no,
                ran.error_msg,
                program.built.seconds + ran.seconds,
                time.time(),
                device.name,
                program.built.cpu_seconds,
                ran.timing_seconds,
            ),
        )

    def _ended(self, work: _Work, ran: Ran | Lost | None) -> None:
        """A device is done with a program; None: its runner did not answer."""
        device, program = work.device, work.program
        assert device is not None
        self._turns.give_back(device.timed_on(program.target, program.timing.device))
        self._devices.ended(device, ran)
        if device.compared(program.target):
            ran_well = isinstance(ran, Ran) and ran.error_no == MeasureErrorNo.NO_ERROR
            cost = statistics.fmean(ran.costs) if ran_well else None if isinstance(ran, Lost) else math.inf
            self._speeds.ended(device.name, program, cost)

    def _try_elsewhere(self, program: _Program, device: Device, lost: Lost) -> None:
        """A device went away with a program, for which the program is to blame if another does too."""
        if program.future.done():
            return
        if lost.begun:
            program.lost_on.append(device.name)
        if len(program.lost_on) < _DEVICES_LOST:
            self._to_run.appendleft(program)
            return
        message = f"The devices {' and '.join(program.lost_on)} went away while they ran this program."
        self._finish_failed(program, MeasureErrorNo.RUNTIME_DEVICE, message, 0.0)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for connection, work in list(itertools.chain(self._building.items(), self._running.items())):
            if work.paused_at is not None or work.seconds(now) < self._limit(work):
                continue
            work.child.kill()
            if connection in self._building:
                del self._building[connection]
                self._finish_failed(work.program, MeasureErrorNo.BUILD_TIMEOUT, None, work.seconds(now))
            else:
                del self._running[connection]
                self._ended(work, None)
                built = work.program.built.seconds if work.program.built else 0.0
                self._finish_failed(
                    work.program, MeasureErrorNo.RUN_TIMEOUT, None, built + work.seconds(now), work.device
                )

    def _limit(self, work: _Work) -> float:
        """Seconds that a program may be at work."""
        known = self._build_seconds[work.program.task]
        if work.device is not None or not self._settings.adaptive_build_timeout or len(known) < _BUILDS_KNOWN:
            return work.limit
        return min(work.limit, max(_LEAST_LIMIT, _TIMES_MEDIAN * statistics.median(known)))

    def _worse_than(self, task: str) -> float | None:
        best = self._best.get(task)
        return None if best is None or self._settings.worse_ratio is None else best * self._settings.worse_ratio

    def _timing_here(self) -> bool:
        return any(
            work.device is not None and work.device.exclusive(work.program.target) for work in self._running.values()
        )

    def _give_way(self, work: _Work) -> None:
        """Keeps a builder off the CPUs on which a program is timed."""
        if self._cpus.others:
            self._cpus.confine(work.child.pid, self._cpus.others)
        elif work.paused_at is None:
            work.child.pause()
            work.paused_at = time.monotonic()

    def _take_back(self) -> None:
        for work in self._building.values():
            if self._cpus.others:
                self._cpus.confine(work.child.pid, self._cpus.all)
            self._resume(work)

    def _resume(self, work: _Work) -> None:
        if work.paused_at is not None:
            work.paused_seconds += time.monotonic() - work.paused_at
            work.paused_at = None
            work.child.resume()

    def _finish_failed(
        self,
        program: _Program,
        error_no: int,
        message: str | None,
        seconds: float,
        device: Device | None = None,
        build_cpu_seconds: float = 0.0,
    ) -> None:
        name = device.name if device else None
        self._finish(
            program,
            Measured((FAILED_COST,), error_no, message, seconds, time.time(), name, build_cpu_seconds, 0.0),
        )

    def _finish(self, program: _Program, measured: Measured) -> None:
        if program.future.done():
            # It was run once more, to compare a device by.
            return
        if program.built is not None and not self._speeds.is_reference(program):
            shutil.rmtree(program.built.folder, ignore_errors=True)
        program.future.set_result(measured)

    def _fail_all(self, error: Exception) -> None:
        """Nothing can be measured any more: whoever waits is told why."""
        self._failure = error
        at_work = [work.program for work in self._at_work()]
        waiting = [*at_work, *self._to_run, *self._on_hold.values(), *self._to_build, *self._submitted]
        for program in waiting:
            with contextlib.suppress(InvalidStateError):
                program.future.set_exception(error)

    def _end_processes(self) -> None:
        self._let_servers_end()
        for child in [*(work.child for work in self._at_work()), *self._idle_builders, *self._runners.values()]:
            child.kill()
        self._turns.close()
        self._server.close()
        self._devices.close()
        self._fail_all(self._failure or RuntimeError("The engine was closed before this program was measured."))

    def _let_servers_end(self) -> None:
        """A server of TVM 0.18 whose client is gone when its program ends is of no more use to anybody."""
        end = time.monotonic() + _SERVERS_SECONDS
        left = [connection for connection, work in self._running.items() if work.device and work.device.extra_seconds]
        while left and time.monotonic() < end:
            for connection in wait(left, end - time.monotonic()):
                left.remove(connection)


def half_of_memory() -> int:
    """How many bytes the programs under test on this machine may take."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _values(program: _Program) -> tuple[Any, ...]:
    """What the arguments must hold: anything, but for tasks with inputs of their own (TVM's `task_inputs`)."""
    one = program.one
    assert program.built is not None
    if not one.task.task_input_names:
        return (None,) * len(program.built.arguments)
    _schedule, tensors = one.task.compute_dag.apply_steps_from_state(
        one.state, layout_rewrite=one.task.layout_rewrite_option
    )
    return tuple(prepare_runner_args(one, BuildResult("", list(tensors), 0, "", 0)))
