"""What a run left in its folder: TVM's records, and when each was measured."""

from __future__ import annotations

import hashlib
import itertools
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .curves import Measured

# By tuner, TVM's log; MetaSchedule's is a database, whose records name its workloads.
RECORDS = {"ansor": "records.json", "metaschedule": "database_tuning_record.json"}
WORKLOADS, SECONDS = "database_workload.json", "seconds.json"
_FAILED_SECONDS = 1e10


class RunError(Exception):
    """A run that failed or left something else than expected; the message says what to do."""


@dataclass(frozen=True)
class Run:
    """`records` is a line of the log for each program; `fingerprint` changes if the run is done again."""

    measured: list[Measured]
    records: dict[str, str]
    seconds: float
    fingerprint: str
    folder: Path = Path()

    @property
    def failures(self) -> int:
        return sum(one.cost is None for one in self.measured)


def is_finished(folder: Path) -> bool:
    return (folder / SECONDS).exists()


def read_run(folder: Path, task_of: dict[str, int], workloads: Sequence[int | None] | None = None) -> Run:
    """A finished run; `task_of` has the tasks by their workload keys, `workloads`, of MetaSchedule's database, by the
    numbers of its workloads. Raises RunError if it is not a side's."""
    text = (folder / RECORDS["ansor" if workloads is None else "metaschedule"]).read_text()
    lines = text.splitlines()
    timing = json.loads((folder / SECONDS).read_text())
    if len(lines) != len(timing["seconds"]):
        raise RunError(
            f"{folder} has {len(lines)} records and the times of {len(timing['seconds'])}. Expected one for each; "
            "delete the folder to have the run done again."
        )
    measured, records = [], {}
    # TVM stamps a program at the end of its run, in another process: not always in the records' order.
    for line, seconds in zip(lines, itertools.accumulate(timing["seconds"], max)):
        record = json.loads(line)
        if workloads is None:
            key, cost = record["i"][0][0], _cost(record)
            task, program = task_of.get(key), program_of(record)
        else:
            key, (trace, times, *_) = record
            task, cost = workloads[key], None if times[0] >= _FAILED_SECONDS else statistics.fmean(times)
            program = _digest([task, trace])
        if task not in task_of.values():
            raise RunError(f"{folder} has a record of a task that is not tuned here: {key}. Delete the folder.")
        measured.append(Measured(task, program, cost, seconds))
        records[program] = line
    return Run(measured, records, timing["end"], hashlib.sha256(text.encode()).hexdigest()[:16], folder)


def program_of(record: dict[str, Any]) -> str:
    """Equal for equal programs: by the task's workload key and the transform steps."""
    task, state = record["i"]
    return _digest([task[0], state])


def _digest(content: list[Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _cost(record: dict[str, Any]) -> float | None:
    costs, error_no = record["r"][:2]
    return statistics.fmean(costs) if error_no == 0 else None
