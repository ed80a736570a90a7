"""The builders, and the programs that they are at."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from .build import Built, not_built
from .failures import BUILD_TIMEOUT, BUILDER_ENDED
from .work import Work, put_to_work

if TYPE_CHECKING:
    from .early_ending import EarlyEnding
    from .fork_server import Child, ForkServer
    from .program import Queued


class Builders:
    """Up to `count` processes that build a program each, `link` making the libraries, in `memory` bytes each."""

    def __init__(
        self, server: ForkServer, count: int, link: Callable[..., Any], memory: int, early_ending: EarlyEnding
    ) -> None:
        self.at_work: dict[Connection, Work] = {}
        self._server = server
        self._count = count
        self._link = link
        self._memory = memory
        self._early_ending = early_ending
        self._idle: list[Child] = []

    def is_one_free(self) -> bool:
        return len(self.at_work) < self._count

    def begin(self, program: Queued) -> Work:
        idle = self._idle.pop() if self._idle else None
        question = program.program.build_request(self._link)
        child = put_to_work(self._server, idle, question, "build", self._memory)
        work = self.at_work[child.connection] = Work(child, program, time.monotonic())
        return work

    def end(self, connection: Connection) -> tuple[Queued, Built]:
        """What a builder answers that can be read from."""
        work = self.at_work.pop(connection)
        # One that had answered when a timing began was stopped all the same, perhaps within its answer; from here on it
        # waits for its next program.
        work.resume()
        try:
            built: Built = work.child.answer()
        except (EOFError, OSError):
            work.child.kill()
            return work.program, not_built(BUILDER_ENDED, work.seconds(time.monotonic()))
        self._idle.append(work.child)
        if built.failure is None:
            self._early_ending.built(work.program.task, work.seconds(time.monotonic()))
        return work.program, built

    def end_overdue(self, now: float) -> Iterator[tuple[Queued, Built]]:
        """Gives up what takes longer than it may."""
        for connection, work in list(self.at_work.items()):
            if not work.paused and self._left(work, now) <= 0:
                work.child.kill()
                del self.at_work[connection]
                yield work.program, not_built(BUILD_TIMEOUT, work.seconds(now))

    def seconds_left(self, now: float) -> list[float]:
        """Until each may be overdue."""
        return [self._left(work, now) for work in self.at_work.values() if not work.paused]

    def kill(self) -> None:
        for child in [*(work.child for work in self.at_work.values()), *self._idle]:
            child.kill()

    def _left(self, work: Work, now: float) -> float:
        return self._early_ending.build_limit(work.program.task) - work.seconds(now)
