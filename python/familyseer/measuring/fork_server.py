"""Processes that have TVM loaded, forked in milliseconds from one that does nothing else.

Importing TVM takes 2 to 3 seconds; a builder or runner that crashed or hung is replaced without paying them again.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Callable

import cloudpickle
import psutil

from .. import interpreter
from ..errors import InstallationError
from ..temporary import make_folder, remove_folder

_PID = struct.Struct("=q")
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_OUT_OF_MEMORY_FIRST = "1000"
# Starts in a row that something from outside may end.
_STARTS = 3
# To fork, the first time after TVM was loaded; and to end.
_FORK_SECONDS = 60.0
_END_SECONDS = 5.0


class Child:
    """A process that answers one question at a time, each with one message."""

    def __init__(self, pid: int, connection: Connection) -> None:
        self.pid = pid
        self.connection = connection
        # Knows whether the pid is still this process's; None: it has ended already.
        self._process: psutil.Process | None = None
        with contextlib.suppress(psutil.NoSuchProcess):
            self._process = psutil.Process(pid)

    def ask(self, question: object) -> None:
        """Raises OSError if the process is gone."""
        self.connection.send_bytes(cloudpickle.dumps(question))

    def answer(self) -> Any:
        """Waits for the answer; raises EOFError or OSError if the process ended instead."""
        return cloudpickle.loads(self.connection.recv_bytes())

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def leave(self) -> None:
        """Has it end by itself, once what it hangs in is over."""
        self.connection.close()

    def kill(self) -> None:
        """Ends it and all it started, at once."""
        self._signal(signal.SIGKILL)
        self.connection.close()

    def _signal(self, number: int) -> None:
        """To its group, but for one that has ended: the fork server ends what that leaves, and its pid may be
        another's."""
        if self._process is not None and self._process.is_running():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)


class ForkServer:
    """Starts processes that do one duty, until it is closed or this process ends; then they end too."""

    def __init__(self, preload: Sequence[str] = ()) -> None:
        """`preload`: modules to load, beside TVM, before anything is forked; none that starts threads."""
        self._preload = preload
        self._lock = threading.Lock()
        self._forked = False
        self._start()

    def fork(self, duty: str, memory_limit: int | None = None) -> Child:
        """A process that does `duty`, a name of `_duty`, within `memory_limit` bytes.

        Raises InstallationError if no process can be started.
        """
        order = cloudpickle.dumps((duty, memory_limit))
        with self._lock:
            for _start in range(_STARTS):
                try:
                    return self._fork(order)
                except (OSError, EOFError):
                    output = self._last_output()
                    ended_from_outside = self._forked or self._process.returncode == -signal.SIGKILL
                    self.close()
                    if not ended_from_outside:
                        break
                    self._forked = False
                    self._start()
            raise InstallationError(f"Builders and runners cannot be started from {sys.executable}: {output}")

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        self._control.settimeout(_FORK_SECONDS)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        # Whatever is built goes in here, also what a builder that is killed leaves.
        self._folder = make_folder("familyseer-measuring-")
        with theirs:
            self._process = subprocess.Popen(
                interpreter.command(__spec__.name, str(theirs.fileno()), *self._preload),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                env=interpreter.environment(TMPDIR=self._folder),
            )

    def _fork(self, order: bytes) -> Child:
        ours, theirs = socket.socketpair()
        with theirs, ours:
            socket.send_fds(self._control, [order], [theirs.fileno()])
            (pid,) = _PID.unpack(_receive(self._control, _PID.size))
            self._forked = True
            return Child(pid, Connection(ours.detach()))

    def close(self) -> None:
        self._control.close()
        self._end()
        self._output.close()
        remove_folder(self._folder)

    def _end(self) -> int:
        """Waits for it to end; one that was stopped, or hangs, is killed, and what it forked ends with it."""
        try:
            return self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _last_output(self) -> str:
        """Of a process that is gone, or is of no use any more."""
        code = self._end()
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").splitlines()[-20:]
        return f"their parent exited with code {code}\n  " + "\n  ".join(lines)


def _receive(control: socket.socket, size: int) -> bytes:
    content = control.recv(size, socket.MSG_WAITALL)
    if len(content) < size:
        raise EOFError
    return content


def _duty(name: str) -> Callable[[Any], Any]:
    from . import build, run, run_remote

    duties: dict[str, Callable[[Any], Any]] = {
        "build": build.build,
        "run": run.Runner().run,
        "run-remote": run_remote.RemoteRunner(),
    }
    return duties[name]


def _serve(control: socket.socket, preload: Sequence[str]) -> None:
    """Forks what is asked for until the other side is gone."""
    # Loaded before the first fork, and nothing that starts threads.
    _duty("build")
    for name in preload:
        importlib.import_module(name)
    # A terminal's Ctrl-C is for the user's process, which ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children: set[int] = set()
    ended = _ended_children()
    while True:
        ready = wait([control, ended])
        if ended in ready:
            ended.recv(4096)
            _forget_ended(children)
        if control not in ready:
            continue
        order, descriptors, _, _ = socket.recv_fds(control, 4096, 1)
        if not order:
            break
        pid = os.fork()
        if pid == 0:
            control.close()
            _be_child(order, descriptors[0])
        os.close(descriptors[0])
        # Here too, so that its group is there once its pid is told.
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        children.add(pid)
        control.sendall(_PID.pack(pid))
    for pid in children:
        _end_group(pid)
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)


def _ended_children() -> socket.socket:
    """What can be read from whenever a child has ended."""
    ended, sender = socket.socketpair()
    sender.setblocking(False)
    signal.set_wakeup_fd(sender.detach(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return ended


def _forget_ended(children: set[int]) -> None:
    """Ends what the children that have ended left behind. Until one is waited for, its pid, which is its group's
    number, is nobody else's; from then on it may be."""
    while children:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return
        _end_group(found.si_pid)
        os.waitpid(found.si_pid, 0)
        children.discard(found.si_pid)


def _end_group(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def _be_child(order: bytes, descriptor: int) -> None:
    """Answers questions until the other side closes the connection; never returns."""
    answer: Any = None
    try:
        os.setpgrp()
        signal.set_wakeup_fd(-1)
        duty, memory_limit = cloudpickle.loads(order)
        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # What `ps` and `top` call it.
        prctl(_PR_SET_NAME, f"seer-{duty}".encode())
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        limit(memory_limit)
        connection, answer = Connection(descriptor), _duty(duty)
        while True:
            connection.send_bytes(cloudpickle.dumps(answer(cloudpickle.loads(connection.recv_bytes()))))
    except (EOFError, OSError):
        if hasattr(answer, "linger"):
            answer.linger()
    finally:
        os._exit(0)


def limit(memory_limit: int | None) -> None:
    import resource

    # The kernel, short of memory, is to end a program under test and nothing else.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OUT_OF_MEMORY_FIRST)
    if memory_limit:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit, memory_limit))


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
