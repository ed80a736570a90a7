"""A job's best schedules as a file, for later jobs on other networks. It is data: nothing in it is run on reading, and
what it holds counts only once it was replayed by TVM and measured."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import fastjsonschema

from ..errors import RequestError
from .schedules import Stage, Steps
from .tasks import is_simulated

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .task_search import TaskSearch

# Of each task so many of the best programs are kept.
KEPT = 3
_STAGE = {
    "type": "object",
    "required": ["name", "placeholder", "extents", "spatial"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "placeholder": {"type": "boolean"},
        "extents": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "spatial": {"type": "integer", "minimum": 0},
    },
}
_validate = fastjsonschema.compile(
    {
        "type": "object",
        "required": ["target", "tasks"],
        "properties": {
            "target": {"type": "string"},
            "tasks": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["family", "stages", "programs"],
                    "properties": {
                        "family": {"type": "string"},
                        "stages": {"type": "array", "items": _STAGE},
                        "programs": {"type": "array", "items": {"type": "array", "items": {"type": "array"}}},
                    },
                },
            },
        },
    }
)


@dataclass(frozen=True, eq=False)
class Carried:
    """A task of an earlier job, with the steps of its best programs, best first."""

    family: str
    stages: tuple[Stage, ...]
    programs: tuple[Steps, ...]

    def donations(self, count: int) -> list[tuple[str, Steps]]:
        """The best programs' steps, and a name for each."""
        return [(f"{index}", steps) for index, steps in enumerate(self.programs[:count])]


def save_schedules(path: Path, target: str, searches: Iterable[TaskSearch], add: bool = False) -> None:
    """Writes the best programs of every task that has any, or adds them to those that are there."""
    tasks: list[dict[str, Any]] = json.loads(path.read_text())["tasks"] if add else []
    tasks += [
        {
            "family": search.model.name,
            "stages": [asdict(stage) for stage in search.stages],
            "programs": [steps for _, steps in search.donations(KEPT)],
        }
        for search in searches
        if search.measured
    ]
    path.write_text(json.dumps({"target": target, "tasks": tasks}) + "\n")


def load_schedules(path: Path, target: str) -> list[Carried]:
    """Reads them; none if they are for another target. Raises RequestError for a file that `save_schedules` did not
    write."""
    try:
        content = json.loads(path.read_text())
        _validate(content)
    except (OSError, ValueError, fastjsonschema.JsonSchemaValueException) as error:
        raise RequestError(
            f"{path} cannot be read as schedules of an earlier job: {error}. Expected the file that a job left there."
        ) from None
    if content["target"] != target:
        return []
    return [
        Carried(
            task["family"],
            tuple(Stage(**{**stage, "extents": tuple(stage["extents"])}) for stage in task["stages"]),
            tuple(task["programs"]),
        )
        for task in content["tasks"]
    ]


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
