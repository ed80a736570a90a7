"""TVM's own RPC tracker and servers on loopback: started, watched and ended by us."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from typing import IO

from .. import interpreter
from ..errors import DevicesError
from . import tracker as trackers
from .device import gpu_name
from .server_process import LOOPBACK
from .tracker import Address, Tracker

_START_SECONDS = 120.0
_WATCH_SECONDS = 0.5
# Starts in a row after which a part that does not come up is given up.
_STARTS = 5
# A server that its tracker does not know for so long is deaf: TVM's ends so when a program crashed in it. A tracker
# that was started so long ago is known to all its servers.
_UNKNOWN_SECONDS = 3.0
_TRACKER_SECONDS = 15.0


class LocalServers:
    """A tracker, and `count` servers of which number i sees GPU i alone (`CUDA_VISIBLE_DEVICES`)."""

    def __init__(self, count: int, memory_limit: int = 0, threads: int | None = None) -> None:
        """`memory_limit` in bytes for each server, 0: none, which a GPU's driver needs; `threads` that a program
        on a CPU runs on, None: as many as TVM chooses.

        Returns once all are up; raises DevicesError if one does not come up.
        """
        self._parts: list[_Part] = []
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self.failure: DevicesError | None = None
        try:
            self._tracker = self._start("The tracker", ["tracker"], {})
            self._tracker.wait_until_up()
            self.tracker = Tracker(LOOPBACK, self._tracker.port)
            self.key = f"familyseer-{os.getpid()}-{self.tracker.port}"
            options = [str(self.tracker.port), self.key, str(memory_limit)]
            self._gpus = [gpu_name(gpu) for gpu in range(count)]
            told = {} if threads is None else {"TVM_NUM_THREADS": str(threads)}
            self._servers = [
                self._start(f"The server of GPU {gpu}", ["server", *options], {"CUDA_VISIBLE_DEVICES": visible, **told})
                for gpu, visible in enumerate(self._gpus)
            ]
            for server in self._servers:
                server.wait_until_up()
        except BaseException:
            self.terminate()
            raise
        self._watching = threading.Thread(target=self._watch, name="familyseer servers", daemon=True)
        self._watching.start()

    def __len__(self) -> int:
        return len(self._servers)

    def known(self) -> int:
        """How many servers the tracker knows: the others are still starting."""
        return len(self._known_ports() or ())

    def processes(self) -> list[int]:
        """The process group of each server that runs."""
        with self._lock:
            return [server.pid for server in self._servers if server.pid is not None]

    def gpu_of(self, address: Address) -> str | None:
        """The machine's name of the GPU behind an address; None if it is not known."""
        with self._lock:
            return next((gpu for server, gpu in zip(self._servers, self._gpus) if server.port == address.port), None)

    def restart(self, address: Address) -> None:
        """Ends a server, in which a program never ends; it comes up again on its own."""
        with self._lock:
            for server in self._servers:
                if server.port == address.port:
                    server.kill()

    def terminate(self) -> None:
        """Ends all; may be called again."""
        self._ended.set()
        with self._lock:
            for part in self._parts:
                part.close()

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> _Part:
        part = _Part(name, command, environment)
        self._parts.append(part)
        part.start()
        return part

    def _watch(self) -> None:
        while not self._ended.wait(_WATCH_SECONDS):
            known = self._known_ports()
            with self._lock:
                if self._ended.is_set():
                    return
                try:
                    for part in self._parts:
                        self._look_after(part, known)
                except DevicesError as error:
                    self.failure = error
                    return

    def _look_after(self, part: _Part, known: set[int] | None) -> None:
        now = time.monotonic()
        part.read_port()
        if part is self._tracker or known is None or part.port in known:
            part.seen = now
        if part.port in (known or ()):
            part.starts = 0
        deaf = part.port and now - part.seen > _UNKNOWN_SECONDS and now - self._tracker.begun > _TRACKER_SECONDS
        if part.has_ended() or deaf:
            part.start()

    def _known_ports(self) -> set[int] | None:
        """Ports of the servers that the tracker knows; None while it cannot be asked."""
        try:
            with self.tracker.connect() as connection:
                return {address.port for _key, address in trackers.servers(connection)}
        except (OSError, ValueError):
            return None


class _Part:
    """One process: the tracker or a server. It keeps its port from start to start."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115, it is closed with the part
        self._up = False
        self.port = 0
        self.starts = 0
        self.begun = self.seen = 0.0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Raises DevicesError after too many starts in a row."""
        self.kill()
        self.starts += 1
        if self.starts > _STARTS:
            raise DevicesError(f"{self.name} ended {_STARTS} times in a row.{self._last_output()}")
        kind, *options = self._command
        self._up = False
        self.begun = self.seen = time.monotonic()
        self._process = subprocess.Popen(
            interpreter.command("familyseer.measuring.server_process", kind, str(self.port), *options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output,
            start_new_session=True,
            # TVM starts processes from it by `python -m`, which imports from the current folder before Python 3.11.
            cwd="/",
            env=interpreter.environment(**self._environment),
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)

    def read_port(self) -> None:
        """Takes its port, once it has told it. One that is not up yet cannot be missed by the tracker."""
        if self._up or self._process is None or self._process.stdout is None:
            return
        line = self._process.stdout.read()
        if line:
            self.port = int(line)
            self._up = True
        self.seen = time.monotonic()

    def wait_until_up(self) -> None:
        """Raises DevicesError if it ends instead."""
        while not self._up:
            self.read_port()
            if self.has_ended() or time.monotonic() - self.begun > _START_SECONDS:
                raise DevicesError(f"{self.name} did not come up.{self._last_output()}")
            time.sleep(0.05)

    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process = None

    def close(self) -> None:
        self.kill()
        self._output.close()

    def _last_output(self) -> str:
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").splitlines()[-20:]
        return " Its last lines of output:\n  " + "\n  ".join(lines) if lines else ""
