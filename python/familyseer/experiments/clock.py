"""The clock of a tuning that others work beside."""

from __future__ import annotations

import fcntl
import time
from typing import IO


class Clock:
    """Seconds since it was made, without those spent waiting for the lock."""

    def __init__(self) -> None:
        self._begun = time.time()
        self._waited = 0.0

    def at(self, timestamp: float) -> float:
        return timestamp - self._begun - self._waited

    def wait(self, file: IO[str]) -> None:
        begun = time.time()
        # Others that wait for it may have it first.
        time.sleep(0.5)
        fcntl.flock(file, fcntl.LOCK_EX)
        self._waited += time.time() - begun
