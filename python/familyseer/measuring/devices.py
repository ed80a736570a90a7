"""The devices behind a TVM RPC tracker: as many as it has servers with the key, for as long as it has them.

A thread of its own looks at the tracker and asks it for sessions; the engine is never kept waiting. A session is kept
from program to program and given back where there is nothing to measure, and every half minute: a server on which a
program never ends is then free again, for the server ends a session that is too long.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import select
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable

from ..errors import DevicesError, RequestError
from ..nvrtc import gpu_count
from ..targets import on_cpu
from . import tracker as trackers
from .device import Devices, LocalDevices
from .engine import half_of_memory
from .failures import RUN_TIMEOUT
from .run import Ran, RunRequest
from .run_remote import CONNECT_SECONDS, PROBE_SECONDS, Lost, RemoteRequest
from .servers import LocalServers
from .tracker import Address, Grant, Tracker

if TYPE_CHECKING:
    from ..wire import messages

_LOOK_SECONDS = 1.0
# A session is taken for programs that begin within so many seconds, and given back when none did for so many.
_HOLD_SECONDS = 30.0
_IDLE_SECONDS = 5.0
# A server takes the right to a session back when it was not used for 4 to 6 seconds (TVM: rpc/server.py).
_GRANT_SECONDS = 3.0
_PATIENCE_SECONDS = 120.0


@dataclass
class DeviceReport:
    """What one device did. `timing_seconds`: how long programs ran on it; `lost`, `returned`: how often."""

    name: str
    programs: int = 0
    failures: int = 0
    timing_seconds: float = 0.0
    lost: int = 0
    returned: int = 0
    there: bool = True


@dataclass(eq=False)
class RemoteDevice:
    """A session with a server, for some seconds."""

    grant: Grant
    on_this_machine: bool
    alone: bool
    granted: float
    gpu: str | None = None
    turn: int = 0
    opened: float | None = None
    idle_since: float = field(default_factory=time.monotonic)
    busy: bool = False
    duty: str = "run-remote"
    extra_seconds: float = CONNECT_SECONDS + PROBE_SECONDS

    @property
    def name(self) -> str:
        return str(self.grant.address)

    def exclusive(self, target: str) -> bool:
        return self.alone and not self.compared(target)

    def timed_on(self, target: str, index: int) -> str | None:
        if self.exclusive(target):
            return "cpu"
        # A session with a server of the user's is this job's alone.
        return f"gpu-{self.gpu}" if self.gpu is not None and self.compared(target) else None

    def compared(self, target: str) -> bool:
        return not (self.on_this_machine and on_cpu(target))

    def question(self, request: RunRequest) -> RemoteRequest:
        if self.opened is None:
            self.opened = time.monotonic()
        self.busy = True
        limit = _HOLD_SECONDS + CONNECT_SECONDS + request.timing.timeout
        return RemoteRequest(request, self.grant, math.ceil(limit))

    def usable(self, now: float) -> bool:
        """Whether a program may begin in this session."""
        if self.opened is None:
            return now - self.granted < _GRANT_SECONDS
        return now - self.opened < _HOLD_SECONDS and now - self.idle_since < _IDLE_SECONDS


class TrackerDevices:
    """The servers of one key that a tracker has."""

    def __init__(
        self,
        tracker: Tracker,
        key: str,
        servers: LocalServers | None = None,
        exclusive: bool = True,
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        """`servers`: ours, which are closed with this. Not `exclusive`: servers of this machine's CPUs time programs at
        the same time. After `patience` seconds without any device, measuring ends with DevicesError.
        """
        self.here = servers is not None
        self._tracker, self._key, self._servers = tracker, key, servers
        self._exclusive = exclusive
        self._patience = patience
        self._lock = threading.Lock()
        self._turns = itertools.count(1)
        self._held: dict[str, RemoteDevice] = {}
        self._listed: set[Address] = set()
        self._reports: dict[str, DeviceReport] = {}
        self._notices: list[str] = []
        self._waiting = 0
        self._useful = time.monotonic()
        self._trouble = ""
        self._unreachable = False
        self._looked = -math.inf
        self._connection: socket.socket | None = None
        self._asked: list[socket.socket] = []
        self._changed: Callable[[], None] = lambda: None
        self._closing = False
        self._wake_receiver, self._wake_sender = os.pipe()
        os.set_blocking(self._wake_sender, False)
        self._thread = threading.Thread(target=self._serve, name="familyseer devices", daemon=True)
        self._thread.start()

    # ---- for the engine; none of it waits ----

    def on_change(self, changed: Callable[[], None]) -> None:
        """Has `changed` called, from another thread, when there may be a device more or less."""
        self._changed = changed

    def now(self, waiting: int) -> list[RemoteDevice]:
        """The devices there are, the one that has waited longest first; `waiting` programs could begin at once.

        Raises DevicesError if there has been no device for too long, or never will be.
        """
        if self._servers is not None and self._servers.failure is not None:
            raise self._servers.failure
        now = time.monotonic()
        with self._lock:
            changed = self._drop_unusable(now) or waiting != self._waiting
            self._waiting = waiting
            devices = sorted(self._held.values(), key=lambda device: device.turn)
            if not waiting or any(device.busy for device in devices):
                self._useful = now
            if now - self._useful > self._patience:
                raise DevicesError(self._despair())
        if changed:
            self._wake()
        return devices

    def ended(self, device: RemoteDevice, ran: Ran | Lost | None) -> None:
        """A program is done on a device; None: its runner had to be ended. After an error the session is too."""
        failed = not isinstance(ran, Ran) or ran.failure is not None
        hangs = ran is None or (isinstance(ran, Ran) and ran.failure == RUN_TIMEOUT)
        with self._lock:
            device.busy, device.turn, device.idle_since = False, next(self._turns), time.monotonic()
            report = self._report_of(device.name)
            if isinstance(ran, Lost):
                self._trouble, self._unreachable = ran.message, not ran.begun
                self._miss(report)
            else:
                self._useful, self._unreachable = time.monotonic(), False
                report.programs += 1
                report.failures += failed
                report.timing_seconds += ran.timing_seconds if ran else 0.0
            if failed and self._held.get(device.name) is device:
                del self._held[device.name]
        if hangs and self._servers is not None:
            self._servers.restart(device.grant.address)
        self._wake()

    def report(self) -> list[DeviceReport]:
        """What each device that was ever seen did."""
        with self._lock:
            return [DeviceReport(**vars(report)) for _name, report in sorted(self._reports.items())]

    def tell(self, notice: str) -> None:
        """Keeps a line for whoever asks for `notices`."""
        with self._lock:
            self._notices.append(notice)

    def notices(self) -> list[str]:
        """What is to be told since it was last asked: devices that were lost, came back, or differ in speed."""
        with self._lock:
            told, self._notices = self._notices, []
        return told

    def close(self) -> None:
        """Gives all sessions back; servers of ours end."""
        self._closing = True
        self._wake()
        self._thread.join()
        os.close(self._wake_receiver)
        os.close(self._wake_sender)
        if self._servers is not None:
            self._servers.terminate()

    def _wake(self) -> None:
        # A pipe that is full wakes it, too.
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_sender, b"\0")

    def _despair(self) -> str:
        who = f"the TVM RPC tracker {self._tracker}"
        listing = f"with key {self._key}"
        after = f"for {self._patience:.0f} s"
        if self._connection is None:
            return f"{who.capitalize()} has not answered {after} ({self._trouble}). Start it and its servers again."
        if not self._listed:
            return (
                f"{who.capitalize()} has had no server {listing} {after}. Start one: python -m tvm.exec.rpc_server "
                f"--tracker {self._tracker} --key {self._key}"
            )
        return f"No server {listing} of {who} could be used {after}: {self._trouble}"

    # ---- on the thread ----

    def _serve(self) -> None:
        while not self._closing:
            self._look()
            self._release()
            self._ask()
            wait: list[Any] = [self._wake_receiver, *self._asked]
            readable, _, _ = select.select(wait, [], [], _LOOK_SECONDS)
            if self._wake_receiver in readable:
                os.read(self._wake_receiver, 4096)
            for connection in [each for each in self._asked if each in readable]:
                self._take(connection)
        for connection in [*self._asked, *([self._connection] if self._connection else [])]:
            connection.close()

    def _look(self) -> None:
        """Looks at which servers there are, about once a second."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        try:
            if self._connection is None:
                self._connection = self._tracker.connect()
            listed = {address for key, address in trackers.servers(self._connection) if key == self._key}
        except (OSError, ValueError) as error:
            self._trouble = str(error)
            self._hang_up()
            return
        with self._lock:
            gone, come = self._listed - listed, listed - self._listed
            self._listed = listed
            for address in come:
                self._meet(self._report_of(str(address)))
            for address in gone:
                # A session goes on without the tracker.
                if str(address) not in self._held:
                    self._miss(self._report_of(str(address)))
            if listed and self._asked and not self._unreachable:
                # Others use them all: that may last.
                self._useful = time.monotonic()

    def _hang_up(self) -> None:
        """The tracker is gone. Sessions go on: they need no tracker."""
        for connection in [*self._asked, *([self._connection] if self._connection else [])]:
            connection.close()
        self._asked, self._connection = [], None

    def _release(self) -> None:
        """Gives sessions back: the engine ends the runner of a device that is no longer there."""
        with self._lock:
            released = self._drop_unusable(time.monotonic())
        if released:
            self._changed()

    def _drop_unusable(self, now: float) -> bool:
        unusable = [device for device in self._held.values() if not device.busy and not device.usable(now)]
        for device in unusable:
            del self._held[device.name]
        return bool(unusable)

    def _ask(self) -> None:
        """Asks for a session with every server where programs wait, and takes questions back where none do."""
        if self._connection is None:
            return
        with self._lock:
            left = len(self._listed - {device.grant.address for device in self._held.values()})
            wanted = left if self._waiting else 0
        while len(self._asked) > wanted:
            self._asked.pop().close()
        try:
            while len(self._asked) < wanted:
                connection = self._tracker.connect()
                self._asked.append(connection)
                trackers.ask(connection, self._key)
        except (OSError, ValueError) as error:
            self._trouble = str(error)
            self._hang_up()

    def _take(self, connection: socket.socket) -> None:
        self._asked.remove(connection)
        try:
            grant = trackers.granted(connection)
        except (OSError, ValueError):
            return
        finally:
            connection.close()
        gpu = self._servers.gpu_of(grant.address) if self._servers is not None else None
        device = RemoteDevice(grant, grant.address.is_here(), self._exclusive, time.monotonic(), gpu)
        with self._lock:
            if device.name in self._held:
                # Its old session has ended without our knowing.
                return
            self._held[device.name] = device
            self._meet(self._report_of(device.name))
        self._changed()

    def _report_of(self, name: str) -> DeviceReport:
        return self._reports.setdefault(name, DeviceReport(name))

    def _meet(self, report: DeviceReport) -> None:
        if not report.there:
            report.there, report.returned = True, report.returned + 1
            self._notices.append(f"The device {report.name} is back.")

    def _miss(self, report: DeviceReport) -> None:
        if report.there:
            report.there, report.lost = False, report.lost + 1
            self._notices.append(f"The device {report.name} was lost; its programs go to others.")


def make_devices(settings: messages.DeviceSettings, target: str, threads: int | None = None) -> Devices:
    """The devices of the protocol's `devices`: this machine, servers of ours on it, or those of the user's tracker.
    `threads` are those of programs on CPUs of this machine; None: as many as TVM chooses.

    Raises RequestError for a tracker that cannot be reached or has no such server, and for GPUs there are not;
    DevicesError if servers cannot be started.
    """
    if settings["type"] == "servers":
        count = settings["count"]
        cpus = on_cpu(target)
        if not cpus:
            _check_gpus(count)
        servers = LocalServers(count, half_of_memory() // count if cpus else 0, threads if cpus else None)
        return TrackerDevices(servers.tracker, servers.key, servers)
    if settings["type"] == "tracker":
        tracker = Tracker(settings["host"], settings["port"])
        _check_tracker(tracker, settings["key"])
        return TrackerDevices(tracker, settings["key"])
    return LocalDevices()


def count_devices(settings: messages.DeviceSettings) -> int:
    """How many of them there are now; raises RequestError for a tracker that cannot be reached."""
    if settings["type"] == "servers":
        return settings["count"]
    if settings["type"] == "tracker":
        return len(list_servers(settings["host"], settings["port"], settings["key"]))
    return 1


def list_gpus() -> list[messages.FoundDevice]:
    """The GPUs of this machine (protocol, `devices`), as NVIDIA's driver tells them; none where there is no driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=name,utilization.gpu,memory.used", "--format=csv,noheader"]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=30)
    rows = [line.split(", ") for line in listed.stdout.splitlines()] if listed.returncode == 0 else []
    return [
        {"name": f"gpu {number}", "key": None, "state": f"{name}, {busy} busy, {memory} used"}
        for number, (name, busy, memory) in enumerate(rows)
    ]


def list_servers(host: str, port: int, key: str | None) -> list[messages.FoundDevice]:
    """The servers of a tracker (protocol, `devices`); raises RequestError if it cannot be reached."""
    tracker = Tracker(host, port)
    with _reached(tracker) as connection:
        listed = sorted(trackers.servers(connection), key=str)
        free = trackers.free(connection)
    count = Counter(each for each, _address in listed)
    return [
        {"name": str(address), "key": each, "state": f"{free.get(each, 0)} of {count[each]} free"}
        for each, address in listed
        if key in (None, each)
    ]


@contextlib.contextmanager
def _reached(tracker: Tracker) -> Iterator[socket.socket]:
    try:
        with tracker.connect() as connection:
            yield connection
    except (OSError, ValueError) as error:
        raise RequestError(
            f"The TVM RPC tracker {tracker} cannot be reached: {error}. Expected host:port of one that runs "
            "(python -m tvm.exec.rpc_tracker)."
        ) from None


def _check_gpus(count: int) -> None:
    there = gpu_count()
    if count > there:
        raise RequestError(f"{count} GPUs are asked for, but this TVM can use {there}. Ask for no more.")


def _check_tracker(tracker: Tracker, key: str) -> None:
    with _reached(tracker) as connection:
        keys = sorted({each for each, _address in trackers.servers(connection)})
    if key not in keys:
        raise RequestError(
            f"The TVM RPC tracker {tracker} has no server with key {key}. Its keys: {', '.join(keys) or 'none'}. "
            f"Start a server: python -m tvm.exec.rpc_server --tracker {tracker} --key {key}"
        )
