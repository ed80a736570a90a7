"""The network whose tasks every side tunes, by the tuner that this Python's TVM has."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from familyseer.backend import Backend, Description, Network, Question, Task
from familyseer.backends import default_backend

from .runs import RECORDS, WORKLOADS, RunError


@dataclass(frozen=True)
class Tuned:
    backend: Backend
    network: Network
    target: Any

    @staticmethod
    def find(model: str, target: str, cache: Path) -> Tuned:
        """Raises RequestError for a network without tasks, or a target that TVM does not know."""
        backend = default_backend()
        parsed = backend.parse_target(target)
        return Tuned(backend, backend.extract(Question(model, 1, "NHWC", [], parsed, cache=cache)), parsed)

    @property
    def tasks(self) -> Sequence[Task]:
        return self.network.tasks

    @cached_property
    def descriptions(self) -> list[Description]:
        return [task.describe() for task in self.network.tasks]

    def workloads(self, folder: Path) -> list[int | None]:
        """Of a MetaSchedule run's workloads, by the numbers that its records name, which of the tasks each is."""
        from familyseer.metaschedule.database import find_workloads

        modules = [task.module for task in self.network.tasks]
        return find_workloads(str(folder / RECORDS["metaschedule"]), modules)

    def measurable(self, line: str, folder: Path) -> Any:
        """The program of a line of a run's log, to be built and run. Raises RunError for what TVM cannot replay."""
        with tempfile.TemporaryDirectory(prefix="familyseer-") as copy:
            log = Path(copy, RECORDS[self.backend.name])
            log.write_text(f"{line}\n")
            if (folder / WORKLOADS).exists():
                shutil.copy(folder / WORKLOADS, copy)
            found = self.network.read(str(log), 0, None, other_targets=False, only=None).records
        if not found:
            raise RunError(f"{folder} has a record that cannot be read again: {line[:200]}. Delete the folder.")
        return self.network.tasks[found[0].task].measurable(found[0].program)
