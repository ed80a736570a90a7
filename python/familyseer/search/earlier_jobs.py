"""What a user's earlier jobs leave to later ones: the part of the library (docs/fast.md) that is for one tuner, TVM,
target and number of threads.

For each family there are tasks of networks tuned before, each with its best schedules (`FAMILY.schedules.json`) and
some of its programs to train the family's model on (`FAMILY.records.npz`: features and times). It is data: nothing in
it is run on reading, and a schedule counts only once it was replayed by TVM and measured.

Any number of jobs may end at once: each adds what it found to what is there, under a lock, and files are written whole.
A file that is damaged, or of something else, is left out and told of.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import re
import zipfile
import zlib
from dataclasses import dataclass, replace
from math import log
from typing import TYPE_CHECKING, Any

import fastjsonschema
import numpy as np

from .. import cache
from ..learning.cost_model import TaskRecords
from .carried import KEPT, Carried

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from ..backend import Backend, Description
    from .task_search import TaskSearch

# Of each family so many tasks are kept, and of each so many programs to learn from.
TASKS = 64
RECORDS_OF_TASK = 32
# A task is given the schedules of so many, and a model learns from so many programs at first; from a few it would not.
NEAREST = 6
MOST_RECORDS = 1_000
LEAST_RECORDS = 32
# How far tasks of another structure are apart, and more where their tiled stage computes something else, in factors of
# e of FLOPs.
_OTHER_STRUCTURE = 1.0
_OTHER_TILED_STAGE = 2.0
_TASK = {
    "type": "object",
    "required": ["job", "key", "structure", "tiled_stage", "flops", "programs"],
    "properties": {
        "job": {"type": "string"},
        "key": {"type": "string"},
        "structure": {"type": "string"},
        "tiled_stage": {"type": "string"},
        "flops": {"type": "number"},
        "programs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["seconds", "schedule"],
                "properties": {
                    "seconds": {"type": "number", "exclusiveMinimum": 0},
                    "schedule": {"type": "object"},
                },
            },
        },
    },
}
_are_tasks = fastjsonschema.compile(
    {
        "type": "object",
        "required": ["for", "family", "tasks"],
        "properties": {
            "for": {"type": "string"},
            "family": {"type": "string"},
            "tasks": {"type": "array", "items": _TASK},
        },
    }
)


# What numpy, zipfile and json raise of a file that someone else may have written.
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, MemoryError, RecursionError, zipfile.BadZipFile, zlib.error)


class DamagedError(ValueError):
    """A file that is not what a job left there; the message says what is wrong with it."""


@dataclass(frozen=True)
class Recalled:
    """What there is for a family: tasks tuned before, what its model is to learn first, and by which jobs."""

    tasks: list[Carried]
    records: list[TaskRecords]
    jobs: list[str]

    @property
    def schedules(self) -> int:
        return sum(len(task.schedules) for task in self.tasks)

    @property
    def programs(self) -> int:
        """To learn from."""
        return sum(len(each.seconds) for each in self.records)


def nearest(task: Description, carried: Sequence[Carried]) -> list[Carried]:
    """The most alike to a task, of which alone it is given schedules."""
    return sorted(carried, key=lambda each: _distance(task, each))[:NEAREST]


class EarlierJobs:
    """A folder of the library. `made_for` says for what: files that name anything else are left out."""

    def __init__(self, folder: Path, made_for: str) -> None:
        self._folder = folder
        self._for = made_for
        self.notices: list[str] = []

    def recall(
        self, family: str, wanted: Sequence[Description], backend: Backend, jobs: Collection[str] | None = None
    ) -> Recalled:
        """What is near to the tasks that are wanted; with `jobs` only what these left."""
        found = [task for task in self._tasks(family, backend) if jobs is None or task["job"] in jobs]
        tasks = [
            replace(
                _likeness(task, family),
                schedules=tuple(schedule for each in task["programs"] for schedule in backend.unpack(each["schedule"])),
            )
            for task in found
        ]
        ranked = [nearest(each, tasks) for each in wanted]
        # The most alike of each first.
        near = list(dict.fromkeys(row[place] for place in range(NEAREST) for row in ranked if place < len(row)))
        records = self._records(family) if near else {}
        learnt: list[TaskRecords] = []
        for task in near:
            of_task = records.get(task.key)
            if of_task and sum(len(each.seconds) for each in learnt) + len(of_task.seconds) <= MOST_RECORDS:
                learnt.append(of_task)
        if sum(len(each.seconds) for each in learnt) < LEAST_RECORDS:
            learnt = []
        keys = {task.key for task in near}
        return Recalled(near, learnt, sorted({task["job"] for task in found if task["key"] in keys}))

    def keep(self, job: str, searches: Iterable[TaskSearch], backend: Backend) -> None:
        """Adds what a job found. Raises OSError where it cannot be written; what was there then stays."""
        of_family: dict[str, list[TaskSearch]] = {}
        for search in searches:
            if search.measured:
                of_family.setdefault(search.model.name, []).append(search)
        if not of_family:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            for family, found in of_family.items():
                self._add(family, job, found, backend)

    def _add(self, family: str, job: str, searches: list[TaskSearch], backend: Backend) -> None:
        tasks = {task["key"]: task for task in self._tasks(family, backend)}
        records = self._records(family)
        for search in searches:
            entry = _entry(search, job, backend)
            before = tasks.pop(entry["key"], None)
            tasks[entry["key"]] = _better_of(before, entry) if before else entry
            learnt = _some_of(search.model.learnt(search.task))
            if len(learnt.seconds) >= len(records[entry["key"]].seconds if entry["key"] in records else []):
                records[entry["key"]] = learnt
        kept = _most_useful(list(tasks.values()))
        # Records first: of a task that is not among the tasks they are left out.
        self._write_records(family, {task["key"]: records[task["key"]] for task in kept if task["key"] in records})
        content = json.dumps({"for": self._for, "family": family, "tasks": kept})
        cache.write(self._file(family, ".schedules.json"), f"{content}\n".encode())

    def _tasks(self, family: str, backend: Backend) -> list[dict[str, Any]]:
        """The tasks of a family, those that were changed last at the end; none where there is no file to use."""
        file = self._file(family, ".schedules.json")
        with self._telling(file):
            content = self._read(file)
            if content is not None:
                found: dict[str, Any] = json.loads(content)
                _are_tasks(found)
                if (found["for"], found["family"]) != (self._for, family):
                    raise DamagedError(f"it is for {found['family']} and {found['for']}")
                for task in found["tasks"]:
                    for each in task["programs"]:
                        backend.unpack(each["schedule"])
                tasks: list[dict[str, Any]] = found["tasks"]
                return tasks
        return []

    def _records(self, family: str) -> dict[str, TaskRecords]:
        """Of each task, by its key, some of its programs; none where there is no file to use."""
        file = self._file(family, ".records.npz")
        with self._telling(file):
            content = self._read(file)
            if content is not None:
                with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                    made_for, keys, tasks, seconds, stores, features = (
                        arrays[name] for name in ("for", "keys", "tasks", "seconds", "stores", "features")
                    )
                if str(made_for) != self._for:
                    raise DamagedError(f"it is for {made_for}")
                _require_records(keys, tasks, seconds, stores, features)
                rows = np.split(features, np.cumsum(stores)[:-1]) if len(stores) else []
                records = {str(key): TaskRecords([], []) for key in keys}
                for task, cost, row in zip(tasks, seconds, rows):
                    records[str(keys[task])].features.append(row)
                    records[str(keys[task])].seconds.append(float(cost))
                return records
        return {}

    def _write_records(self, family: str, records: dict[str, TaskRecords]) -> None:
        features = [rows for each in records.values() for rows in each.features]
        file = io.BytesIO()
        arrays: dict[str, Any] = {
            "for": np.array(self._for),
            "keys": np.array(list(records), dtype=np.str_),
            "tasks": np.repeat(np.arange(len(records)), [len(each.seconds) for each in records.values()]),
            "seconds": np.array([seconds for each in records.values() for seconds in each.seconds]),
            "stores": np.array([len(rows) for rows in features], dtype=np.int64),
            "features": np.concatenate(features) if features else np.zeros((0, 0), np.float32),
        }
        np.savez_compressed(file, **arrays)
        cache.write(self._file(family, ".records.npz"), file.getvalue())

    @contextlib.contextmanager
    def _telling(self, file: Path) -> Iterator[None]:
        """What keeps a file from being used becomes a notice."""
        try:
            yield
        except _UNREADABLE as error:
            self._tell(f"{file} is left out: {str(error).splitlines()[0] or type(error).__name__}")
        except fastjsonschema.JsonSchemaValueException as error:
            self._tell(f"{file} is left out: {error.message}")

    def _tell(self, notice: str) -> None:
        said = f"{notice}. Expected what an earlier job left there; it can be removed."
        if said not in self.notices:
            self.notices.append(said)

    @staticmethod
    def _read(file: Path) -> bytes | None:
        content = cache.read(file)
        if content is None and file.exists():
            raise DamagedError("others than you can write to it")
        return content

    def _file(self, family: str, kind: str) -> Path:
        return self._folder / (re.sub(r"[^\w.-]", "_", family) + kind)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """The kernel's lock, which ends with the process that has it; what a kill left half written is removed."""
        with (self._folder / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            for left in self._folder.glob(f"{cache.UNFINISHED}*"):
                left.unlink()
            yield


def _entry(search: TaskSearch, job: str, backend: Backend) -> dict[str, Any]:
    task = search.task.describe()
    best = sorted(search.measured, key=lambda entry: entry[0])[:KEPT]
    return {
        "job": job,
        "key": task.workload_key,
        "structure": task.structure,
        "tiled_stage": task.tiled_stage,
        "flops": task.flops,
        "programs": [
            {"seconds": seconds, "schedule": backend.pack([search.task.schedule(program)])} for seconds, program in best
        ],
    }


def _better_of(before: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """A task with the best programs of both; the earlier job's as long as a later one found nothing better."""
    of_both = sorted([*before["programs"], *found["programs"]], key=lambda each: float(each["seconds"]))
    programs = list({json.dumps(each["schedule"], sort_keys=True): each for each in reversed(of_both)}.values())
    best = programs[::-1][:KEPT]
    return before if best == before["programs"] else {**found, "programs": best}


def _most_useful(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many as are kept: while there are more, of the two that are most alike the one that was changed earlier goes,
    since the other says nearly the same."""
    kept = list(tasks)
    while len(kept) > TASKS:
        alike = [_likeness(task) for task in kept]
        pairs = ((_distance(one, other), place) for place, one in enumerate(alike) for other in alike[place + 1 :])
        del kept[min(pairs)[1]]
    return kept


def _likeness(task: dict[str, Any], family: str = "") -> Carried:
    """A task without its schedules."""
    return Carried(family, (), task["structure"], task["tiled_stage"], task["flops"], task["key"])


def _distance(one: Description | Carried, other: Description | Carried) -> float:
    apart = abs(log(max(1.0, one.flops)) - log(max(1.0, other.flops)))
    if one.structure == other.structure:
        return apart
    return apart + (_OTHER_STRUCTURE if one.tiled_stage == other.tiled_stage != "" else _OTHER_TILED_STAGE)


def _some_of(records: TaskRecords) -> TaskRecords:
    """Its best program, which throughputs are relative to, and others from its whole course."""
    count = len(records.seconds)
    if count <= RECORDS_OF_TASK:
        return records
    best = records.seconds.index(min(records.seconds))
    others = [index for index in range(count) if index != best]
    spread = np.linspace(0, count - 2, RECORDS_OF_TASK - 1).round().astype(int)
    chosen = sorted([best, *(others[place] for place in spread)])
    return TaskRecords([records.features[index] for index in chosen], [records.seconds[index] for index in chosen])


def _require_records(*arrays: Any) -> None:
    """Raises DamagedError for arrays that `_write_records` does not write."""
    keys, tasks, seconds, stores, features = arrays
    count = len(seconds) if seconds.ndim == 1 else -1
    if not (
        keys.ndim == 1
        and keys.dtype.kind == "U"
        and tasks.shape == stores.shape == (count,)
        and tasks.dtype.kind == stores.dtype.kind == "i"
        and seconds.dtype == np.float64
        and features.ndim == 2
        and features.dtype == np.float32
        and (stores > 0).all()
        and stores.sum() == len(features)
        and ((tasks >= 0) & (tasks < len(keys))).all()
        and (np.isfinite(seconds) & (seconds > 0)).all()
        and np.isfinite(features).all()
    ):
        raise DamagedError("its arrays are not those of programs with their times")
