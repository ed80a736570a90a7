"""A job's best schedules as a file, for later jobs on other networks. It is data: nothing in it is run on reading, and
what it holds counts only once it was replayed by TVM and measured."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fastjsonschema

from ..errors import RequestError
from ..targets import is_simulated

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..backend import Backend, Schedule
    from .task_search import TaskSearch

# Of each task so many of the best programs are kept.
KEPT = 3
# The rest of a task is its tuner's.
_validate = fastjsonschema.compile(
    {
        "type": "object",
        "required": ["target", "tasks"],
        "properties": {
            "target": {"type": "string"},
            "tasks": {
                "type": "array",
                "items": {"type": "object", "required": ["family"], "properties": {"family": {"type": "string"}}},
            },
        },
    }
)


@dataclass(frozen=True, eq=False)
class Carried:
    """A task of an earlier job, with the schedules of its best programs, best first."""

    family: str
    schedules: tuple[Schedule, ...]
    # By which it is more or less alike to another (backend.py, `Description`), and its workload's key.
    structure: str = ""
    tiled_stage: str = ""
    flops: float = 0.0
    key: str = ""

    def donations(self, count: int) -> list[tuple[str, Schedule]]:
        """The best programs' schedules, and a name for each."""
        return [(f"{index}", schedule) for index, schedule in enumerate(self.schedules[:count])]


def save_schedules(
    path: Path, target: str, searches: Iterable[TaskSearch], backend: Backend, add: bool = False
) -> None:
    """Writes the best programs of every task that has any, or adds them to those that are there."""
    tasks: list[dict[str, Any]] = json.loads(path.read_text())["tasks"] if add else []
    tasks += [
        {"family": search.model.name, **backend.pack([schedule for _, schedule in search.donations(KEPT)])}
        for search in searches
        if search.measured
    ]
    path.write_text(json.dumps({"target": target, "tasks": tasks}) + "\n")


def load_schedules(path: Path, target: str, backend: Backend) -> list[Carried]:
    """Reads them; none if they are for another target. Raises RequestError for a file that `save_schedules` did not
    write."""
    try:
        content = json.loads(path.read_text())
        _validate(content)
        if content["target"] != target:
            return []
        return [Carried(task.pop("family"), tuple(backend.unpack(task))) for task in content["tasks"]]
    except (OSError, ValueError, fastjsonschema.JsonSchemaValueException) as error:
        raise RequestError(
            f"{path} cannot be read as schedules of an earlier job: {error}. Expected the file that a job left there."
        ) from None


def refuse_simulated(path: Path, target: str) -> None:
    """Raises RequestError if the schedules beside cost models say that those learnt from a simulated GPU, and `target`
    is another. Models without any are of a time before there was one."""
    if not path.exists():
        return
    named = json.loads(path.read_text())["target"]
    if is_simulated(named) and not is_simulated(target):
        raise RequestError(
            f"The cost models in {path.parent} learnt from a simulated GPU ({named}). Expected models that learnt from "
            "measurements."
        )
