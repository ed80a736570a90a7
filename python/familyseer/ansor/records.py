"""Reading a log that anyone may have written: what cannot be used is skipped, and told with its reason and line.

TVM raises on a record it cannot read or replay, so that each line is tried by itself (TVM:
src/auto_scheduler/measure_record.cc). The file is only read.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastjsonschema
import numpy as np
from tvm import auto_scheduler
from tvm.auto_scheduler.measure_record import dump_record_to_string, load_record_from_string

from ..errors import RequestError
from ..targets import KINDS, is_simulated, kind_of, on_cpu
from ..wire import messages
from .results import FAILED_COST
from .steps import Steps, meets_extents, stages_of

if TYPE_CHECKING:
    from tvm.auto_scheduler import MeasureInput, MeasureResult, SearchTask
    from tvm.auto_scheduler.loop_state import StateObject

_ELSEWHERE: frozenset[messages.SkipReason] = frozenset({"other-task", "other-target", "other-device"})
# Of a target what says for which device it compiles. The rest is how TVM versions spell the same.
_OPTION = re.compile(r"-([\w-]+)=(\"[^\"]*\"|\S+)")
_OF_DEVICE = frozenset({"mcpu", "mattr", "mabi", "arch", "model", "device"})
# Of each reason so many line numbers are told.
_LINES_TOLD = 10
# Of what a line says so many characters are told.
_CHARACTERS_TOLD = 200
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
                "items": [
                    {"type": "array", "minItems": 2, "items": [{"type": "string"}, {"type": "string"}]},
                    {"type": "array", "minItems": 2, "items": [{}, {"type": "array", "items": {"type": "array"}}]},
                ],
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

    @property
    def program(self) -> StateObject:
        return self.input.state

    def line(self) -> str:
        """It as TVM's log has it, without the line's end."""
        return str(dump_record_to_string(self.input, self.result)).rstrip("\n")


def record_of(task: int, one: MeasureInput, result: MeasureResult) -> Record:
    """The record of a program of a task that was measured just now."""
    cost = float(np.mean([value.value for value in result.costs])) if result.error_no == 0 else math.inf
    return Record(task, one, result, cost if math.isfinite(cost) else None)


class Skipped:
    """The lines that were left out, by their numbers, for each reason and what the lines say of it."""

    def __init__(self) -> None:
        self.lines: dict[tuple[messages.SkipReason, str | None], list[int]] = {}

    def add(self, unusable: UnusableError, line: int) -> None:
        self.lines.setdefault((unusable.reason, unusable.of), []).append(line)

    @property
    def count(self) -> int:
        return sum(len(lines) for lines in self.lines.values())

    @property
    def unusable(self) -> list[int]:
        """Lines that are of use to nobody; not those of other tasks and targets."""
        return [line for (reason, _), lines in self.lines.items() if reason not in _ELSEWHERE for line in lines]

    @property
    def elsewhere(self) -> list[int]:
        """Lines of other tasks and targets."""
        return [line for (reason, _), lines in self.lines.items() if reason in _ELSEWHERE for line in lines]

    def described(self) -> list[messages.Skipped]:
        """As the protocol has it (`load`)."""
        return [
            {"reason": reason, "of": of, "count": len(lines), "lines": lines[:_LINES_TOLD]}
            for (reason, of), lines in self.lines.items()
        ]

    def __str__(self) -> str:
        return "; ".join(_in_words(reason, of, lines) for (reason, of), lines in self.lines.items())


def _in_words(reason: messages.SkipReason, of: str | None, lines: list[int]) -> str:
    """E.g. `2 of other tasks (line 3, 7)`."""
    words = messages.SKIP_REASONS[reason].replace("{}", of or "")
    told = ", ".join(map(str, lines[:_LINES_TOLD])) + (", ..." if len(lines) > _LINES_TOLD else "")
    return f"{len(lines)} {words} (line {told})"


class UnusableError(Exception):
    """Why a line is left out, and what it says of that: its target, or its version."""

    def __init__(self, reason: messages.SkipReason, of: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.of = of


@dataclass(frozen=True)
class LogPart:
    """What was read of a log: the records oldest first, and how many of them another TVM version wrote, which names
    tasks otherwise."""

    records: list[Record]
    skipped: Skipped
    matched: int


def read_records(
    path: str,
    tasks: Sequence[SearchTask],
    start: int = 0,
    stop: int | None = None,
    other_targets: bool = False,
    other_versions: bool = True,
    only: Sequence[int] | None = None,
) -> LogPart:
    """The records of the tasks in the bytes `start` to `stop` of a log.

    With `other_targets` those of other targets count, too; with `other_versions` those of other TVM versions, where it
    is sure of which task they are. With `only` those of these tasks alone, by their places in `tasks`, count. Raises
    RequestError for a file that cannot be read.
    """
    reader = _Reader(tasks, other_targets, other_versions, only)
    try:
        for number, line in _lines(Path(path), start, stop):
            reader.take(number, line)
    except OSError as error:
        raise RequestError(
            f"The log {path} cannot be read ({error.strerror}). Expected a file a tuning wrote."
        ) from None
    return reader.finish()


def usable_copy(path: str, skipped: Skipped, copy: Path) -> None:
    """Writes a log without the lines that are of use to nobody, nor those of others that TVM cannot read."""
    unusable, elsewhere = set(skipped.unusable), set(skipped.elsewhere)
    with copy.open("wb") as file:
        for number, line in _lines(Path(path), 0, None):
            if number not in unusable and (number not in elsewhere or _can_be_read(line)):
                file.write(line)


class _Reader:
    def __init__(
        self, tasks: Sequence[SearchTask], other_targets: bool, other_versions: bool, only: Sequence[int] | None
    ) -> None:
        self._tasks = tasks
        self._wanted = frozenset(range(len(tasks)) if only is None else only)
        self._task_of = {task.workload_key: index for index, task in enumerate(tasks)}
        self._target = str(tasks[0].target)
        self._other_targets = other_targets
        self._records: list[tuple[int, Record]] = []
        self._skipped = Skipped()
        # Lines of tasks that are none of ours, by key and with their steps, where they may be by another name.
        self._unknown: dict[str, list[tuple[int, bytes, Steps]]] = {}
        self._shapes = Counter(_shapes(key) for key in self._task_of if other_versions)
        del self._shapes[None]

    def take(self, number: int, line: bytes) -> None:
        try:
            content = self._usable(line)
            key = content["i"][0][0]
            if key in self._task_of:
                self._records.append((number, self._replayed(self._task_of[key], line)))
            elif self._shapes[_shapes(key)] == 1:
                self._unknown.setdefault(key, []).append((number, line, content["i"][1][1]))
            else:
                raise UnusableError("other-task")
        except UnusableError as unusable:
            self._skipped.add(unusable, number)

    def finish(self) -> LogPart:
        matched = 0
        for key, lines in self._unknown.items():
            task = self._counterpart(key)
            for number, line, _ in lines:
                try:
                    if task is None:
                        raise UnusableError("other-task")
                    self._records.append((number, self._replayed(task, line)))
                    matched += 1
                except UnusableError as unusable:
                    self._skipped.add(unusable, number)
        self._records.sort(key=lambda entry: entry[0])
        return LogPart([record for _, record in self._records], self._skipped, matched)

    def _usable(self, line: bytes) -> dict[str, Any]:
        content = _content(line)
        if not _VERSIONS.fullmatch(content["v"]):
            raise UnusableError("record-version", _told(content["v"][:20]))
        costs, error = content["r"][:2]
        if error == 0 and not (costs and all(0 < cost < FAILED_COST for cost in costs)):
            raise UnusableError("impossible-time")
        target = content["i"][0][1]
        kind = kind_of(target)
        # What was only simulated is never taken for measured.
        if is_simulated(target) != is_simulated(self._target):
            raise UnusableError("other-target", _told(target))
        # A CPU's programs bind no threads of a GPU, and a GPU's do.
        if kind in KINDS and on_cpu(kind) != on_cpu(self._target):
            raise UnusableError("other-device", _told(target))
        if not (self._other_targets or same_device(target, self._target)):
            raise UnusableError("other-target", _told(target))
        return content

    def _replayed(self, number: int, line: bytes) -> Record:
        if number not in self._wanted:
            raise UnusableError("other-task")
        task = self._tasks[number]
        try:
            one, result = load_record_from_string(line.decode())
            state = task.compute_dag.infer_bound_from_state(one.state).state_object
        except Exception:
            raise UnusableError("cannot-replay") from None
        costs = [float(cost.value) for cost in result.costs]
        return Record(
            number,
            auto_scheduler.MeasureInput(task, state),
            result,
            sum(costs) / len(costs) if result.error_no == 0 else None,
        )

    def _counterpart(self, key: str) -> int | None:
        """The task that a key of another TVM version names: the hash of its compute DAG differs, but the shapes are
        those of one task alone, which has no records of its own, no other key has them, and every split has the extent
        it says in that task's DAG."""
        shapes = _shapes(key)
        (task,) = [index for known, index in self._task_of.items() if _shapes(known) == shapes]
        stages = stages_of(self._tasks[task].compute_dag)
        sure = (
            not any(record.task == task for _, record in self._records)
            and sum(_shapes(other) == shapes for other in self._unknown) == 1
            and all(meets_extents(steps, stages) for _, _, steps in self._unknown[key])
        )
        return task if sure else None


def same_device(one: str, other: str) -> bool:
    """Whether two targets, as TVM versions spell them, are for the same kind of device."""
    return one == other or _device(one) == _device(other)


def _device(target: str) -> tuple[str, dict[str, str]]:
    kind, _, options = target.partition(" ")
    return kind, {name: value for name, value in _OPTION.findall(options) if name in _OF_DEVICE}


def _shapes(key: str) -> tuple[int, ...] | None:
    """The shapes that a workload key has after its hash, end to end: TVM 0.8 and before did not part them. None for a
    key of another form, as those of a user's own workloads may be."""
    try:
        content = json.loads(key)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, list) or not content or not isinstance(content[0], str):
        return None
    shapes = (shape if isinstance(shape, list) else [shape] for shape in content[1:])
    extents = tuple(extent for shape in shapes for extent in shape)
    return extents if all(type(extent) is int for extent in extents) else None


def _told(text: str) -> str:
    """What anyone may have written, as a message can have it: one short line of characters that can be shown."""
    shown = "".join(character if character.isprintable() else "?" for character in text[:_CHARACTERS_TOLD])
    return shown + ("..." if len(text) > _CHARACTERS_TOLD else "")


def _content(line: bytes) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(line)
        _is_record(content)
    except (ValueError, RecursionError, fastjsonschema.JsonSchemaValueException):
        raise UnusableError("no-record") from None
    return content


def _can_be_read(line: bytes) -> bool:
    try:
        load_record_from_string(line.decode())
    except Exception:
        return False
    return True


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
