"""Which devices measure a task: those that are as fast on it as the first that did, so that its costs can be compared.

The first program of a task that runs is its reference. Every other device runs it before anything else of the task, and
measures the task only if it took the same time within a tenth, in the better of two tries.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Callable, Generic, Protocol, TypeVar

_TOLERANCE = 0.1
_TRIES = 2
# Seconds that a task waits for the devices it is measured on before others go on with it.
_PATIENCE_SECONDS = 60.0


class Comparable(Protocol):
    """A program, by the name of its task."""

    @property
    def task(self) -> str: ...

    @property
    def words(self) -> str: ...


P = TypeVar("P", bound=Comparable)


@dataclass
class _Task(Generic[P]):
    first: str | None = None
    reference: P | None = None
    cost: float = 0.0
    agree: set[str] = field(default_factory=set)
    differ: set[str] = field(default_factory=set)
    tried: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    waits_since: float | None = None


class Speeds(Generic[P]):
    """Chooses what a device does next. Devices are told apart by their names."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        """`tell` takes what the user is to know, a line each."""
        self._tell = tell
        self._tasks: dict[str, _Task[P]] = defaultdict(_Task)

    def choose(self, device: str, waiting: Iterable[P]) -> P | None:
        """The first program that the device may run, or the reference of its task; None: there is nothing for it."""
        looked_at: set[str] = set()
        for program in waiting:
            if program.task not in looked_at:
                looked_at.add(program.task)
                chosen = self._choose(self._tasks[program.task], device, program)
                if chosen is not None:
                    return chosen
        return None

    def is_reference(self, program: P) -> bool:
        return self._tasks[program.task].reference is program

    def ended(self, device: str, program: P, cost: float | None) -> None:
        """A program took `cost` seconds on a device, infinity if it failed; None: the device was lost."""
        task = self._tasks[program.task]
        if task.reference is program and cost is not None:
            self._compare(task, device, program, cost)
        elif task.reference is None:
            task.first = None
            if cost is not None and math.isfinite(cost):
                task.first, task.reference, task.cost = device, program, cost
                task.agree = {device}

    def _choose(self, task: _Task[P], device: str, program: P) -> P | None:
        now = time.monotonic()
        if device in task.agree:
            task.waits_since = None
            return program
        if task.reference is None:
            if task.first is not None:
                return None
            task.first = device
            return program
        if device not in task.differ:
            return task.reference
        if task.waits_since is None:
            task.waits_since = now
        if now - task.waits_since < _PATIENCE_SECONDS:
            return None
        self._tell(f"{program.words} goes on with {device}: {', '.join(sorted(task.agree))} did not come back.")
        task.agree.add(device)
        return program

    def _compare(self, task: _Task[P], device: str, program: P, cost: float) -> None:
        tried = task.tried[device]
        tried.append(cost)
        ratio = min(tried) / task.cost
        if abs(ratio - 1) <= _TOLERANCE:
            task.agree.add(device)
        elif len(tried) >= _TRIES:
            task.differ.add(device)
            self._tell(
                f"{device} takes {ratio:.2f} times as long as {task.first} for {program.words}: it measures others."
            )
