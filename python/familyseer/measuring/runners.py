"""The runners, one for each device: which program a device runs next, and what comes of it."""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from .disturbance import Retiming, kept
from .failures import RUN_TIMEOUT, RUNNER_ENDED, devices_lost
from .program import Measured, Queued, failed
from .run import Ran, RunRequest
from .run_remote import Lost
from .speeds import Speeds
from .turns import ASK_SECONDS, Turns
from .work import Work, put_to_work

if TYPE_CHECKING:
    from .device import Device, Devices
    from .early_ending import EarlyEnding
    from .fork_server import Child, ForkServer
    from .giving_way import GivingWay

# A program that so many devices were lost with is not tried on another.
_DEVICES_LOST = 2
# How often to look for devices while nothing runs.
_LOOK_SECONDS = 0.5
# How long programs on servers may go on when the engine is closed.
_SERVERS_SECONDS = 3.0


@dataclass(eq=False)
class _Run(Work):
    device: Device

    def left(self, now: float) -> float:
        """Seconds until it is overdue."""
        return self.program.timing.timeout + self.device.extra_seconds - self.seconds(now)


class Runners:
    """Gives devices programs, and takes the results."""

    def __init__(
        self,
        server: ForkServer,
        devices: Devices,
        cpus: tuple[int, ...],
        memory: int,
        early_ending: EarlyEnding,
        retiming: Retiming,
        giving_way: GivingWay,
        turns: Turns,
    ) -> None:
        """A program that is timed on this machine's CPUs has a thread on each of `cpus`, and `memory` bytes."""
        self.at_work: dict[Connection, _Run] = {}
        self._server = server
        self._devices = devices
        self._cpus = cpus
        self._memory = memory
        self._early_ending = early_ending
        self._retiming = retiming
        self._giving_way = giving_way
        self._turns = turns
        self._speeds: Speeds[Queued] = Speeds(devices.tell)
        self._idle: dict[str, Child] = {}

    def is_timing_here(self) -> bool:
        """Whether a program is timed on this machine's CPUs."""
        return any(run.device.exclusive(run.program.target) for run in self.at_work.values())

    def needs(self, program: Queued) -> bool:
        """Whether a program that has its result may run again, to compare a device by."""
        return self._speeds.is_reference(program)

    def begin(self, to_run: deque[Queued], builders: Collection[Work]) -> None:
        """Gives each free device a program of those that wait; builders at work give way to it."""
        busy = {run.device.name for run in self.at_work.values()}
        devices = self._devices.now(0 if self.is_timing_here() else len(to_run))
        for name in self._idle.keys() - {device.name for device in devices}:
            self._idle.pop(name).kill()
        for device in devices:
            program = None if device.name in busy else self._next_for(device, to_run)
            if program is None:
                continue
            exclusive = device.exclusive(program.target)
            if exclusive and self.is_timing_here():
                continue
            if not self._turns.take(device.timed_on(program.target, program.timing.device)):
                continue
            if exclusive:
                self._giving_way.give_way(builders)
            self._begin_run(program, device, exclusive)
            if not program.future.done():
                to_run.remove(program)
        if not self.is_timing_here():
            self._giving_way.take_back(builders)

    def end(self, connection: Connection) -> tuple[Queued, Measured | None]:
        """What a runner answers that can be read from; None for a program that is to be tried or timed again."""
        run = self.at_work.pop(connection)
        program, device = run.program, run.device
        assert program.built is not None
        try:
            ran: Ran | Lost = run.child.answer()
        except (EOFError, OSError):
            run.child.kill()
            self._ended(run, None)
            return program, _failed(run, failed(RUNNER_ENDED, run.seconds(time.monotonic()), device.name))
        self._ended(run, ran)
        if isinstance(ran, Lost):
            run.child.kill()
            return program, _lost(program, device, ran)
        if ran.failure is None:
            self._idle[device.name] = run.child
            self._early_ending.ran(program.task, statistics.fmean(ran.costs))
            program.timed.append(ran)
            again = self._retiming.again(program.timed, self._early_ending.best(program.task))
            return program, None if again else _timed(program, device)
        if ran.failure == RUN_TIMEOUT:
            run.child.leave()
        else:
            # What a failed program left behind in its process is not the next one's to meet.
            run.child.kill()
        return program, _failed(
            run,
            Measured(
                (),
                ran.failure,
                program.built.seconds + ran.seconds,
                time.time(),
                device.name,
                program.built.cpu_seconds,
                ran.timing_seconds,
            ),
        )

    def end_overdue(self, now: float) -> Iterator[tuple[Queued, Measured]]:
        """Gives up what takes longer than it may; its runner should have said so by then."""
        for connection, run in list(self.at_work.items()):
            if run.left(now) <= 0:
                run.child.kill()
                del self.at_work[connection]
                self._ended(run, None)
                built = run.program.built.seconds if run.program.built else 0.0
                overdue = failed(RUN_TIMEOUT, built + run.seconds(now), run.device.name)
                yield run.program, _failed(run, overdue)

    def seconds_left(self, now: float, waiting: int) -> list[float]:
        """Until each may be overdue, and until devices and turns are to be looked at again for those that wait."""
        left = [run.left(now) for run in self.at_work.values()]
        if waiting and not self.at_work:
            left.append(_LOOK_SECONDS)
        if self._turns.are_awaited():
            left.append(ASK_SECONDS)
        return left

    def kill(self) -> None:
        """Ends all, after those on servers of TVM's: one whose client is gone when its program ends is of no more use
        to anybody (TVM 0.18)."""
        end = time.monotonic() + _SERVERS_SECONDS
        left = [connection for connection, run in self.at_work.items() if run.device.extra_seconds]
        while left and time.monotonic() < end:
            for connection in wait(left, end - time.monotonic()):
                left.remove(connection)  # type: ignore[arg-type]
        for child in [*(run.child for run in self.at_work.values()), *self._idle.values()]:
            child.kill()

    def _next_for(self, device: Device, to_run: deque[Queued]) -> Queued | None:
        """A program that waits, or one that was measured elsewhere already, to compare the device by."""
        if not to_run or not device.compared(to_run[0].target):
            return to_run[0] if to_run else None
        return self._speeds.choose(device.name, to_run)

    def _begin_run(self, program: Queued, device: Device, exclusive: bool) -> None:
        assert program.built is not None
        request = RunRequest(
            program.built.path,
            program.built.arguments,
            program.program.values(program.built.arguments),
            program.target,
            program.timing,
            None if program.future.done() else self._early_ending.worse_than(program.task),
            self._cpus if exclusive else (),
        )
        idle = self._idle.pop(device.name, None)
        # A GPU's driver maps more than there is.
        memory = self._memory if exclusive else None
        child = put_to_work(self._server, idle, device.question(request), device.duty, memory)
        if exclusive:
            self._giving_way.keep_on_timed(child)
        self.at_work[child.connection] = _Run(child, program, time.monotonic(), device)

    def _ended(self, run: _Run, ran: Ran | Lost | None) -> None:
        """A device is done with a program; None: its runner did not answer."""
        device, program = run.device, run.program
        self._turns.give_back(device.timed_on(program.target, program.timing.device))
        self._devices.ended(device, ran)
        if device.compared(program.target):
            self._speeds.ended(device.name, program, _cost(ran))


def _cost(ran: Ran | Lost | None) -> float | None:
    """The mean seconds of a run, infinite of a program that failed; None where the device was lost."""
    if isinstance(ran, Lost):
        return None
    return statistics.fmean(ran.costs) if ran is not None and ran.failure is None else math.inf


def _timed(program: Queued, device: Device) -> Measured:
    """What came of a program that was timed, once or several times."""
    assert program.built is not None
    ran = kept(program.timed)
    return Measured(
        ran.costs,
        None,
        program.built.seconds + sum(each.seconds for each in program.timed),
        time.time(),
        device.name,
        program.built.cpu_seconds,
        sum(each.timing_seconds for each in program.timed),
        ran.waited,
        len(program.timed),
    )


def _failed(run: _Run, measured: Measured) -> Measured:
    """What came of a program that failed now; what failed when it was timed again had run before."""
    return _timed(run.program, run.device) if run.program.timed else measured


def _lost(program: Queued, device: Device, lost: Lost) -> Measured | None:
    """A device went away with a program, for which the program is to blame if another does too."""
    if lost.begun:
        program.lost_on.append(device.name)
    return failed(devices_lost(program.lost_on), 0.0) if len(program.lost_on) >= _DEVICES_LOST else None
