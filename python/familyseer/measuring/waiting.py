"""The programs that wait in the engine: to be built, to be released, or for a device."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .build import Built
    from .program import Measured, Queued


class Waiting:
    """Keeps programs in the order they were given in. `submit` and `release` are for any thread, the rest is for the
    engine's."""

    def __init__(self) -> None:
        self.to_build: deque[Queued] = deque()
        self.to_run: deque[Queued] = deque()
        self._on_hold: dict[Future[Measured], Queued] = {}
        self._submitted: deque[Queued] = deque()
        self._released: deque[Future[Measured]] = deque()

    def submit(self, program: Queued) -> None:
        self._submitted.append(program)

    def release(self, future: Future[Measured]) -> None:
        self._released.append(future)

    def accept(self, take_built: Callable[[Queued, Built], None]) -> None:
        """Takes in what was submitted and released since; `take_built` is given what was submitted built."""
        # A program is submitted before it is released: what is released by now is accepted before that counts.
        released = [self._released.popleft() for _ in range(len(self._released))]
        while self._submitted:
            program = self._submitted.popleft()
            if program.held:
                self._on_hold[program.future] = program
            if program.built is None:
                self.to_build.append(program)
            elif program.future.set_running_or_notify_cancel():
                take_built(program, program.built)
        for future in released:
            self._let_run(future)

    def next_to_build(self) -> Queued | None:
        """Of `to_build`: what is on hold is built ahead, and after all that may run."""
        ahead = self.to_build[0] if self.to_build else None
        return next((each for each in self.to_build if not each.held), ahead)

    def is_built(self, program: Queued) -> None:
        if not program.held:
            self.to_run.append(program)

    def try_again(self, program: Queued) -> None:
        """A device went away with it, or other work disturbed its timing: that may have passed when those that wait are
        timed. One that had its result was run to compare devices by."""
        if program.future.done():
            return
        if program.timed:
            self.to_run.append(program)
        else:
            self.to_run.appendleft(program)

    def all(self) -> list[Queued]:
        return [*self.to_run, *self._on_hold.values(), *self.to_build, *self._submitted]

    def _let_run(self, future: Future[Measured]) -> None:
        program = self._on_hold.pop(future, None)
        if program is None or future.done():
            return
        program.held = False
        if program.built is not None:
            self.to_run.append(program)
