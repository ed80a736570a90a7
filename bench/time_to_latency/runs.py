"""What a run left in its folder: TVM's records, and when each was measured."""

from __future__ import annotations

import hashlib
import itertools
import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .curves import Measured

RECORDS, SECONDS = "records.json", "seconds.json"


class RunError(Exception):
    """A run that failed or left something else than expected; the message says what to do."""


@dataclass(frozen=True)
class Run:
    """`records` is a line of the log for each program; `fingerprint` changes if the run is done again."""

    measured: list[Measured]
    records: dict[str, str]
    seconds: float
    fingerprint: str

    @property
    def failures(self) -> int:
        return sum(one.cost is None for one in self.measured)


def is_finished(folder: Path) -> bool:
    return (folder / SECONDS).exists()


def read_run(folder: Path, task_of: dict[str, int]) -> Run:
    """A finished run; `task_of` has the tasks by their workload keys. Raises RunError if it is not a side's."""
    text = (folder / RECORDS).read_text()
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
        key, program = record["i"][0][0], program_of(record)
        if key not in task_of:
            raise RunError(f"{folder} has a record of a task that is not tuned here: {key}. Delete the folder.")
        measured.append(Measured(task_of[key], program, _cost(record), seconds))
        records[program] = line
    return Run(measured, records, timing["end"], hashlib.sha256(text.encode()).hexdigest()[:16])


def program_of(record: dict[str, Any]) -> str:
    """Equal for equal programs: by the task's workload key and the transform steps."""
    task, state = record["i"]
    return hashlib.sha256(json.dumps([task[0], state]).encode()).hexdigest()[:16]


def _cost(record: dict[str, Any]) -> float | None:
    costs, error_no = record["r"][:2]
    return statistics.fmean(costs) if error_no == 0 else None
