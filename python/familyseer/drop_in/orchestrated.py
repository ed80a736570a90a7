"""A tuning in the user's own process for as long as an orchestrator decides it, and all the ways that it may end."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Callable

from ..errors import OrchestratorLostError, RequestError
from ..wire.channel import Channel
from ..wire.session import Session
from .orchestrator import Orchestrator, end_marked_children, mark_children

if TYPE_CHECKING:
    from types import FrameType

    from ..wire import messages

# How long the orchestrator has to end after its last word, in seconds.
_GRACE = 3.0
_INSIST_SECONDS = 1.0


def orchestrated(
    tune: Callable[[Session, Callable[[bytes], None], Interruption], bool],
    goes_on: str,
    no_raise: frozenset[str] = frozenset(),
) -> None:
    """Starts an orchestrator, and has `tune` do what it asks for on this thread; that returns whether all was done.

    `goes_on` says what is kept where the orchestrator is lost, and how the user goes on from there. `no_raise` are
    files whose functions TVM calls where it cannot take an exception: none is raised there.

    Raises ValueError for what cannot be tuned, InstallationError, OrchestratorLostError, KeyboardInterrupt, and what
    `tune` raises.
    """
    with mark_children() as mark:
        orchestrator = Orchestrator(mark)
        session = Session()
        channel = Channel(orchestrator.endpoint, session.deliver)
        done = False
        try:
            with Interruption(orchestrator, session, goes_on, no_raise) as interruption:
                ended_well = tune(session, channel.send, interruption)
                interruption.check()
            done = ended_well
        except InterruptionError:
            raise KeyboardInterrupt from None
        finally:
            channel.close()
            orchestrator.close(grace=_GRACE if done else 0)
            if not done:
                end_marked_children(mark)
    if session.refusal:
        raise (ValueError if session.refusal.kind == RequestError.kind else RuntimeError)(session.refusal.reason)
    if not done:
        raise OrchestratorLostError("The orchestrator ended the session before the tuning was done.")


class TuningProcess:
    """The user's own process as what does an orchestrator's operations: each is a method of its name."""

    beside: frozenset[str] = frozenset()

    def perform(
        self,
        operation: str,
        params: dict[str, Any],
        report: Callable[[messages.MeasuredEvent], None],
        cancelled: Callable[[], bool],
    ) -> dict[str, Any]:
        result: dict[str, Any] = getattr(self, operation)(**params)
        return result

    def close(self) -> None:
        pass

    def ping(self) -> dict[str, Any]:
        return {}


class InterruptionError(KeyboardInterrupt, Exception):
    """Ctrl-C while tuning. It is an Exception too, since TVM's calls from C++ into Python carry no other kind out."""


class Interruption:
    """Brings Ctrl-C and the loss of the orchestrator into the thread that tunes, however deep in TVM it is.

    TVM turns the exception into another error on its way out, or takes it for a program that failed to build and goes
    on. So it is remembered, raised again every second, and raised last when TVM is left.
    """

    def __init__(self, orchestrator: Orchestrator, session: Session, goes_on: str, no_raise: frozenset[str]) -> None:
        self._goes_on = goes_on
        self._no_raise = no_raise
        self._session = session
        self._thread = threading.get_ident()
        self._on_main_thread = threading.current_thread() is threading.main_thread()
        self._previous: Any = None
        self._interrupted = False
        self._lost: str | None = None
        self._left = threading.Event()
        self._orchestrator = orchestrator

    def __enter__(self) -> Interruption:
        if self._on_main_thread:
            self._previous = signal.signal(signal.SIGINT, self._on_sigint)
        self._orchestrator.watch(self._on_lost)
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        if self._on_main_thread:
            signal.signal(signal.SIGINT, self._previous)

    def check(self) -> None:
        """Raises what came meanwhile."""
        if self._lost is not None:
            raise OrchestratorLostError(f"The tuning cannot go on: {self._lost}. {self._goes_on}")
        if self._interrupted:
            raise InterruptionError

    def _on_sigint(self, number: int, frame: FrameType | None) -> None:
        if self._left.is_set():
            return
        if self._lost is None and not self._interrupted:
            if callable(self._previous) and self._previous is not signal.default_int_handler:
                self._previous(number, frame)
                return
            self._interrupted = True
            threading.Thread(target=self._insist, name="familyseer interruption", daemon=True).start()
        if self._may_raise(frame):
            self.check()

    def _may_raise(self, frame: FrameType | None) -> bool:
        while frame is not None:
            if frame.f_code.co_filename in self._no_raise:
                return False
            frame = frame.f_back
        return True

    def _on_lost(self, how: str) -> None:
        self._lost = how
        self._session.end()
        self._insist()

    def _insist(self) -> None:
        """Interrupts the thread that tunes until it has left."""
        while not self._left.is_set():
            # It may wait in a lock that only a signal breaks; off the main thread it runs on to its next bytecode.
            if self._on_main_thread:
                signal.pthread_kill(self._thread, signal.SIGINT)
            elif self._may_raise(sys._current_frames().get(self._thread)):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._thread), ctypes.py_object(OrchestratorLostError)
                )
            self._left.wait(_INSIST_SECONDS)
