"""Timing built programs on a device behind a TVM RPC server (TVM: auto_scheduler/measure.py, rpc/client.py)."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as OutOfTime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvm import rpc

from ..errors import last_line
from ..tvm_names import RANDOM_FILL
from .failures import RUN_TIMEOUT, WHILE_LOADING, WHILE_RUNNING, Failure, raised
from .run import Arrays, Ran, RunRequest, costs_of, device_kind, timer_of
from .tracker import Address, Grant

# Seconds to open a session in, in which the server forks, and to find out after an error whether the server is there.
CONNECT_SECONDS = 20.0
PROBE_SECONDS = 6.0
_ANSWER_SECONDS = 2.0


@dataclass(frozen=True)
class RemoteRequest:
    """A program, and where to run it. The server ends the session itself after `session_seconds`."""

    run: RunRequest
    grant: Grant
    session_seconds: int


@dataclass(frozen=True)
class Lost:
    """The device went away. `begun`: while it ran the program."""

    message: str
    begun: bool


class RemoteRunner:
    """Times programs on one server, in one session that it keeps from program to program."""

    def __init__(self) -> None:
        # Whatever hangs in TVM's own code, the network or the program, hangs there and not here.
        self._thread = ThreadPoolExecutor(1)
        self._grant: Grant | None = None
        self._session: Any = None
        self._arrays: Arrays | None = None
        self._programs = 0

    def __call__(self, request: RemoteRequest) -> Ran | Lost:
        """Times a program; what goes wrong with it is in the result. After an error this process is of no more use."""
        try:
            self._thread.submit(self._connect, request).result(CONNECT_SECONDS)
        except Exception as error:
            return Lost(f"{request.grant.address} cannot be connected to: {last_line(error)}", begun=False)
        begun, timeout = time.monotonic(), request.run.timing.timeout
        try:
            ran = self._thread.submit(self._run, request.run).result(timeout)
        except OutOfTime:
            ran = Ran((), RUN_TIMEOUT, time.monotonic() - begun, 0.0)
        if ran.failure is not None and not self._is_there(ran, request.grant.address):
            return Lost(f"{request.grant.address} went away.", begun=True)
        time.sleep(request.run.timing.cooldown_interval)
        return ran

    def linger(self) -> None:
        """Keeps a session, in which a program never ends, until the server ends it.

        A server whose client is gone by then is deaf from then on (TVM: rpc/server.py, the call of ReturnException).
        """
        self._thread.shutdown(wait=True)

    def _is_there(self, ran: Ran, address: Address) -> bool:
        """Whether the server is, after an error. Most errors leave the session as it was."""
        if ran.failure != RUN_TIMEOUT:
            with contextlib.suppress(Exception):
                self._thread.submit(self._session.get_function, RANDOM_FILL).result(_ANSWER_SECONDS)
                return True
        return address.answers()

    def _connect(self, request: RemoteRequest) -> None:
        if self._grant == request.grant:
            return
        address = request.grant.address
        self._arrays = self._session = None
        self._session = rpc.connect(address.host, address.port, request.grant.match_key, request.session_seconds)
        self._arrays = Arrays(self._session.get_function)
        self._grant = request.grant

    def _run(self, request: RunRequest) -> Ran:
        assert self._arrays is not None
        begun = time.monotonic()
        costs: tuple[float, ...] = ()
        failure: Failure | None = None
        timing_seconds, kind = 0.0, WHILE_LOADING
        # A library of the same name as one that is loaded would be taken for it.
        self._programs += 1
        name = f"program-{self._programs}{Path(request.path).suffix}"
        try:
            self._session.upload(request.path, name)
            module = self._session.load_module(name)
            device = self._session.device(device_kind(request.target), request.timing.device)
            timer = timer_of(module, device, request.timing)
            kind = WHILE_RUNNING
            assert self._arrays is not None
            arrays = self._arrays.of(request, device)
            timing_begun = time.monotonic()
            costs = costs_of(module, device, timer, arrays, request)
            timing_seconds = time.monotonic() - timing_begun
            self._remove(name)
        except Exception:
            costs, failure = (), raised(kind)
        return Ran(costs, failure, time.monotonic() - begun, timing_seconds)

    def _remove(self, name: str) -> None:
        """Takes the uploaded file, and the library that the server linked from it, off the server."""
        self._session.remove(name)
        if name.endswith(".tar"):
            with contextlib.suppress(RuntimeError):
                self._session.remove(f"{name}.so")
