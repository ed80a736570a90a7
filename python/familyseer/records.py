"""Reading a log that anyone may have written: what cannot be used is skipped, and told with its reason and line.

TVM raises on a record it cannot read or replay, so that each line is tried by itself (TVM:
src/auto_scheduler/measure_record.cc). The file is only read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastjsonschema
from tvm import auto_scheduler
from tvm.auto_scheduler.measure_record import load_record_from_string

from .errors import RequestError

if TYPE_CHECKING:
    from tvm.auto_scheduler import MeasureInput, MeasureResult, SearchTask

# Of each reason so many line numbers are told.
_LINES_TOLD = 10
# The versions of TVM's record format up to TVM 0.18's.
_VERSIONS = re.compile(r"v0\.[1-6]")
_is_record = fastjsonschema.compile(
    {
        "type": "object",
        "required": ["i", "r", "v"],
        "properties": {
            "i": {
                "type": "array",
                "minItems": 2,
                "items": [{"type": "array", "minItems": 2, "items": [{"type": "string"}, {"type": "string"}]}],
            },
            "r": {
                "type": "array",
                "minItems": 2,
                "items": [{"type": "array", "items": {"type": "number"}}, {"type": "integer"}],
            },
            "v": {"type": "string"},
        },
    }
)


@dataclass(frozen=True)
class Record:
    """A program of one of the tasks, as it was measured. `cost` is in seconds; None for one that failed."""

    task: int
    input: MeasureInput
    result: MeasureResult
    cost: float | None


class Skipped:
    """How many lines were left out for each reason, and the first of their numbers."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.lines: dict[str, list[int]] = {}

    def add(self, reason: str, line: int) -> None:
        self.counts[reason] = self.counts.get(reason, 0) + 1
        lines = self.lines.setdefault(reason, [])
        if len(lines) < _LINES_TOLD:
            lines.append(line)

    def described(self) -> list[dict[str, Any]]:
        """As the protocol has it (`load`)."""
        return [
            {"reason": reason, "count": count, "lines": self.lines[reason]} for reason, count in self.counts.items()
        ]


class UnusableError(Exception):
    """Why a line is left out."""


def read_records(
    path: str,
    tasks: Sequence[SearchTask],
    start: int = 0,
    stop: int | None = None,
    other_targets: bool = False,
) -> tuple[list[Record], Skipped]:
    """The records of the tasks in the bytes `start` to `stop` of a log, oldest first, and what was skipped.

    With `other_targets` those of other targets count, too. Raises RequestError for a file that cannot be read.
    """
    reader = _Reader(tasks, other_targets)
    records, skipped = [], Skipped()
    try:
        for number, line in _lines(Path(path), start, stop):
            try:
                records.append(reader.read(line))
            except UnusableError as unusable:
                skipped.add(str(unusable), number)
    except OSError as error:
        raise RequestError(
            f"The log {path} cannot be read ({error.strerror}). Expected a file a tuning wrote."
        ) from None
    return records, skipped


class _Reader:
    def __init__(self, tasks: Sequence[SearchTask], other_targets: bool) -> None:
        self._tasks = tasks
        self._task_of = {task.workload_key: index for index, task in enumerate(tasks)}
        self._target = str(tasks[0].target)
        self._other_targets = other_targets

    def read(self, line: bytes) -> Record:
        content = _content(line)
        if not _VERSIONS.fullmatch(content["v"]):
            raise UnusableError(f"of the record version {content['v'][:20]}")
        key, target = content["i"][0][:2]
        if key not in self._task_of:
            raise UnusableError("of other tasks")
        costs, error = content["r"][:2]
        if error == 0 and not (costs and all(cost > 0 and math.isfinite(cost) for cost in costs)):
            raise UnusableError("with a time that cannot be")
        if target != self._target and not self._other_targets:
            raise UnusableError(f"for the target {target}")
        number = self._task_of[key]
        task = self._tasks[number]
        try:
            one, result = load_record_from_string(line.decode())
            state = task.compute_dag.infer_bound_from_state(one.state).state_object
        except Exception:
            raise UnusableError("that TVM cannot replay") from None
        return Record(
            number, auto_scheduler.MeasureInput(task, state), result, sum(costs) / len(costs) if error == 0 else None
        )


def _content(line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line)
        _is_record(content)
    except (ValueError, RecursionError, fastjsonschema.JsonSchemaValueException):
        raise UnusableError("that are no records") from None
    return content


def _lines(path: Path, start: int, stop: int | None) -> Iterator[tuple[int, bytes]]:
    """The lines of a part of a file that are not empty, with their numbers."""
    with path.open("rb") as file:
        number = _line_breaks(file, start)
        for line in file:
            if stop is not None and start >= stop:
                return
            start += len(line)
            number += 1
            if line.strip():
                yield number, line


def _line_breaks(file: Any, until: int) -> int:
    """Reads a file up to a byte; how many lines end before it."""
    count = 0
    while until > 0:
        chunk = file.read(min(until, 1 << 20))
        if not chunk:
            break
        until -= len(chunk)
        count += chunk.count(b"\n")
    return count
