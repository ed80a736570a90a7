"""A program that a builder or a runner is at."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .fork_server import Child, ForkServer
    from .program import Queued


@dataclass(eq=False)
class Work:
    """What one process is at, and since when (time.monotonic)."""

    child: Child
    program: Queued
    begun: float
    _paused_at: float | None = field(default=None, init=False)
    _paused_seconds: float = field(default=0.0, init=False)

    @property
    def paused(self) -> bool:
        return self._paused_at is not None

    def seconds(self, now: float) -> float:
        """How long it has been at work, pauses not counted."""
        return (self._paused_at if self._paused_at is not None else now) - self.begun - self._paused_seconds

    def pause(self) -> None:
        if self._paused_at is None:
            self.child.pause()
            self._paused_at = time.monotonic()

    def resume(self) -> None:
        if self._paused_at is not None:
            self._paused_seconds += time.monotonic() - self._paused_at
            self._paused_at = None
            self.child.resume()


def put_to_work(server: ForkServer, idle: Child | None, question: object, duty: str, memory: int | None) -> Child:
    """Asks the idle process, or, where there is none or it has died, a new one of `memory` bytes at most."""
    if idle is not None:
        try:
            idle.ask(question)
            return idle
        except OSError:
            idle.kill()
    child = server.fork(duty, memory)
    child.ask(question)
    return child
