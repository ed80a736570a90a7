"""When a slow program is ended early: in building, and in timing (`run.costs_of` does that in the runner)."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict

# Builds of a task that must have ended before its build time limit adapts, and how many times as long as their median
# a build may then take, but no less than so many seconds.
_BUILDS_KNOWN = 4
_TIMES_MEDIAN = 8
_LEAST_LIMIT = 1.0


class EarlyEnding:
    """What a task's programs took so far, and what others of it may take; all in seconds."""

    def __init__(self, build_timeout: float, adaptive: bool, worse_ratio: float | None) -> None:
        """`adaptive`: a build may not take many times as long as the task's others. A program that is, in its first
        run, `worse_ratio` times slower than the task's best is not timed further; None: every one is."""
        self._build_timeout = build_timeout
        self._adaptive = adaptive
        self._worse_ratio = worse_ratio
        self._build_seconds: dict[str, list[float]] = defaultdict(list)
        self._best: dict[str, float] = {}

    def built(self, task: str, seconds: float) -> None:
        self._build_seconds[task].append(seconds)

    def ran(self, task: str, cost: float) -> None:
        self._best[task] = min(cost, self.best(task))

    def best(self, task: str) -> float:
        """The least cost that one of its programs had; infinite where none ran."""
        return self._best.get(task, math.inf)

    def build_limit(self, task: str) -> float:
        """How long a build may take."""
        known = self._build_seconds[task]
        if not self._adaptive or len(known) < _BUILDS_KNOWN:
            return self._build_timeout
        return min(self._build_timeout, max(_LEAST_LIMIT, _TIMES_MEDIAN * statistics.median(known)))

    def worse_than(self, task: str) -> float | None:
        """The time of a first run after which a program is not timed further; None: there is none."""
        best = self._best.get(task)
        return None if best is None or self._worse_ratio is None else best * self._worse_ratio
