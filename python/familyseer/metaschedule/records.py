"""Records of MetaSchedule's database: those that anyone may have written, and our own.

TVM raises on a line it cannot read or replay, so that each is tried by itself. The files are only read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fastjsonschema
import numpy as np
import tvm
from tvm.s_tir import Schedule
from tvm.s_tir.meta_schedule.arg_info import ArgInfo
from tvm.s_tir.meta_schedule.database import TuningRecord, Workload

from ..log_lines import LogPart, Skipped, UnusableError, lines_of, told
from ..targets import KINDS, on_cpu
from .database import FAILED_SECONDS, find_workloads, record_line
from .target import text_of
from .traces import check

if TYPE_CHECKING:
    from ..measuring.program import Measured
    from .bare_task import BareTask
    from .target import MetaTarget

_is_record = fastjsonschema.compile(
    {
        "type": "array",
        "minItems": 2,
        "maxItems": 2,
        "items": [
            {"type": "integer", "minimum": 0},
            {
                "type": "array",
                "minItems": 4,
                "maxItems": 4,
                "items": [
                    {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "array"}},
                    {"type": "array", "minItems": 1, "items": {"type": "number"}},
                    {"type": ["object", "null"]},
                    {},
                ],
            },
        ],
    }
)


@dataclass(frozen=True)
class Record:
    """A program of a task, as it was measured: seconds of each repeat; none of one that failed."""

    of: BareTask
    program: Schedule
    run_seconds: tuple[float, ...]

    @property
    def task(self) -> int:
        return self.of.number

    @property
    def cost(self) -> float | None:
        """The mean time of a run in seconds; None of a program that failed."""
        return float(np.mean(self.run_seconds)) if self.run_seconds else None

    def tuning_record(self) -> TuningRecord:
        """It as TVM has it."""
        return TuningRecord(
            self.program.trace,
            Workload(self.of.module),
            list(self.run_seconds) or [FAILED_SECONDS],
            self.of.target.tvm,
            ArgInfo.from_entry_func(self.program.mod),
        )

    def line(self) -> str:
        """It as the database's file of records has it, without the line's end."""
        return record_line(self.tuning_record(), self.of.workload)


def record_of(task: BareTask, program: Schedule, measured: Measured) -> Record:
    """The record of a program that was measured just now."""
    return Record(task, program, () if measured.failure else tuple(map(float, measured.costs)))


def read_records(
    log: str,
    tasks: Sequence[BareTask],
    target: MetaTarget,
    start: int = 0,
    stop: int | None = None,
    other_targets: bool = False,
    only: Sequence[int] | None = None,
) -> LogPart[Record]:
    """The records of the tasks in the bytes `start` to `stop` of a database's file of records.

    With `other_targets` those of other targets count, too; with `only` those of these tasks alone. Raises RequestError
    for what is no database.
    """
    wanted = range(len(tasks)) if only is None else only
    workloads = find_workloads(log, [task.module for task in tasks])
    reader = _Reader(tasks, [each if each in wanted else None for each in workloads], target, other_targets)
    records, skipped = [], Skipped()
    for number, line in lines_of(log, start, stop):
        try:
            records.append(reader.record(line))
        except UnusableError as unusable:
            skipped.add(unusable, number)
    return LogPart(records, skipped, matched=0)


class _Reader:
    """`workloads`: the task of each workload, None: of none that is wanted."""

    def __init__(
        self, tasks: Sequence[BareTask], workloads: list[int | None], target: MetaTarget, other_targets: bool
    ) -> None:
        self._tasks = tasks
        self._workloads = workloads
        self._target = target
        self._other_targets = other_targets
        # By what lines say, which most say alike.
        self._targets: dict[str, UnusableError | None] = {}

    def record(self, line: bytes) -> Record:
        """Raises UnusableError."""
        number, (trace, times, target, _) = _content(line)
        failed = all(seconds == FAILED_SECONDS for seconds in times)
        if not (failed or all(0 < seconds < FAILED_SECONDS for seconds in times)):
            raise UnusableError("impossible-time")
        self._check_target(target)
        if number >= len(self._workloads):
            raise UnusableError("no-workload")
        index = self._workloads[number]
        if index is None:
            raise UnusableError("other-task")
        task = self._tasks[index]
        return Record(task, _replayed(trace, task), () if failed else tuple(map(float, times)))

    def _check_target(self, target: dict[str, Any] | None) -> None:
        said = json.dumps(target, sort_keys=True)
        if said not in self._targets:
            self._targets[said] = self._refused(target, said)
        unusable = self._targets[said]
        if unusable is not None:
            raise unusable

    def _refused(self, target: dict[str, Any] | None, said: str) -> UnusableError | None:
        """Why records of a target are not taken; None: they are."""
        if target is None:
            return UnusableError("other-target", said)
        try:
            known = tvm.target.Target(target)
            kind, text = known.kind.name, text_of(known)
        except Exception:
            return UnusableError("other-target", told(said))
        # A CPU's programs bind no threads of a GPU, and a GPU's do.
        if kind in KINDS and on_cpu(kind) != on_cpu(self._target.tvm.kind.name):
            return UnusableError("other-device", told(text))
        if text != self._target.text and not self._other_targets:
            return UnusableError("other-target", told(text))
        return None


def _content(line: bytes) -> tuple[int, tuple[Any, list[float], dict[str, Any] | None, Any]]:
    try:
        content: Any = json.loads(line)
        _is_record(content)
    except (ValueError, RecursionError, fastjsonschema.JsonSchemaValueException):
        raise UnusableError("no-record") from None
    # To a schema 1.0 is a whole number, too.
    if not isinstance(content[0], int):
        raise UnusableError("no-record")
    return content[0], tuple(content[1])


def _replayed(trace: Any, task: BareTask) -> Schedule:
    try:
        check(trace)
    except ValueError:
        raise UnusableError("cannot-replay") from None
    program = task.space.replayed(trace)
    if program is None:
        raise UnusableError("cannot-replay")
    return program
