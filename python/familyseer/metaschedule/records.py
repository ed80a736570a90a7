"""MetaSchedule's database on disk: records that anyone may have written, and our own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..measuring.program import Measured
    from .bare_task import BareTask
    from .target import MetaTarget


@dataclass(frozen=True)
class Record:
    """A program of one of the tasks, as it was measured. `cost` is in seconds; None for one that failed."""

    of: BareTask
    program: Any
    cost: float | None

    @property
    def task(self) -> int:
        return self.of.number

    def line(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class LogPart:
    """What was read of a database: the records oldest first."""

    records: list[Record]
    skipped: Any
    matched: int


def record_of(task: BareTask, program: Any, measured: Measured) -> Record:
    raise NotImplementedError


def read_records(
    log: str,
    tasks: Sequence[BareTask],
    target: MetaTarget,
    start: int,
    stop: int | None,
    other_targets: bool,
    only: Sequence[int] | None,
) -> LogPart:
    raise NotImplementedError
