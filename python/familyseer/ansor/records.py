"""Reading a log that anyone may have written: what cannot be used is skipped, and told with its reason and line.

TVM raises on a record it cannot read or replay, so that each line is tried by itself (TVM:
src/auto_scheduler/measure_record.cc). The file is only read.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fastjsonschema
import numpy as np
from tvm import auto_scheduler
from tvm.auto_scheduler.measure_record import dump_record_to_string, load_record_from_string

from ..log_lines import LogPart, Skipped, UnusableError, lines_of, told
from ..targets import KINDS, is_simulated, kind_of, on_cpu
from .results import FAILED_COST
from .steps import Steps, meets_extents, stages_of

if TYPE_CHECKING:
    from pathlib import Path

    from tvm.auto_scheduler import MeasureInput, MeasureResult, SearchTask
    from tvm.auto_scheduler.loop_state import StateObject

# Of a target what says for which device it compiles. The rest is how TVM versions spell the same.
_OPTION = re.compile(r"-([\w-]+)=(\"[^\"]*\"|\S+)")
_OF_DEVICE = frozenset({"mcpu", "mattr", "mabi", "arch", "model", "device"})
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


def read_records(
    path: str,
    tasks: Sequence[SearchTask],
    start: int = 0,
    stop: int | None = None,
    other_targets: bool = False,
    other_versions: bool = True,
    only: Sequence[int] | None = None,
) -> LogPart[Record]:
    """The records of the tasks in the bytes `start` to `stop` of a log.

    With `other_targets` those of other targets count, too; with `other_versions` those of other TVM versions, where it
    is sure of which task they are. With `only` those of these tasks alone, by their places in `tasks`, count. Raises
    RequestError for a file that cannot be read.
    """
    reader = _Reader(tasks, other_targets, other_versions, only)
    for number, line in lines_of(path, start, stop):
        reader.take(number, line)
    return reader.finish()


def usable_copy(path: str, skipped: Skipped, copy: Path) -> None:
    """Writes a log without the lines that are of use to nobody, nor those of others that TVM cannot read."""
    unusable, elsewhere = set(skipped.unusable), set(skipped.elsewhere)
    with copy.open("wb") as file:
        for number, line in lines_of(path):
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

    def finish(self) -> LogPart[Record]:
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
            raise UnusableError("record-version", told(content["v"][:20]))
        costs, error = content["r"][:2]
        if error == 0 and not (costs and all(0 < cost < FAILED_COST for cost in costs)):
            raise UnusableError("impossible-time")
        target = content["i"][0][1]
        kind = kind_of(target)
        # What was only simulated is never taken for measured.
        if is_simulated(target) != is_simulated(self._target):
            raise UnusableError("other-target", told(target))
        # A CPU's programs bind no threads of a GPU, and a GPU's do.
        if kind in KINDS and on_cpu(kind) != on_cpu(self._target):
            raise UnusableError("other-device", told(target))
        if not (self._other_targets or same_device(target, self._target)):
            raise UnusableError("other-target", told(target))
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
