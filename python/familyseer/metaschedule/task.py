"""A task of MetaSchedule's, as the rest of the worker knows tasks (backend.py); its programs are TVM's schedules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..backend import Description
from ..learning.draft import draft_scores
from ..learning.store_features import COLUMNS
from .bare_task import BareTask, hash_of
from .explorer import TraceExplorer
from .fitting import fitted
from .neighbours import neighbours
from .programs import ScheduledProgram
from .records import Record, record_of
from .tasks import describe
from .traces import Data, data_of

if TYPE_CHECKING:
    import tvm
    from numpy.typing import NDArray

    from ..backend import OwnModel
    from ..measuring.program import Measured


@dataclass(frozen=True)
class Schedule:
    """A program's trace, and the hash of the module that it was made of."""

    module: str
    trace: Data


class MetaTask(BareTask):
    """An extracted task, and its place among a network's (backend.py, `Task`). A program is a `tvm.s_tir.Schedule`,
    after postprocessing."""

    @cached_property
    def _description(self) -> Description:
        return describe(self.extracted)

    def describe(self) -> Description:
        return self._description

    def explorer(self, model: OwnModel, seed: int) -> TraceExplorer:
        return TraceExplorer(self, model, seed)

    def finished(self, program: tvm.s_tir.Schedule) -> tvm.s_tir.Schedule:
        return program

    def draft(self, programs: Sequence[tvm.s_tir.Schedule]) -> NDArray[Any]:
        target = self.target.tvm
        cores = int(target.attrs.get("num-cores", 1))
        return draft_scores(self.features(programs), COLUMNS, target.kind.name, cores, of_metaschedule=True)

    def schedule(self, program: tvm.s_tir.Schedule) -> Schedule:
        return Schedule(hash_of(self.module), data_of(program.trace))

    def fit(self, schedule: Schedule) -> list[tvm.s_tir.Schedule]:
        if schedule.module == hash_of(self.module):
            program = self.space.replayed(schedule.trace)
            return [] if program is None else [program]
        return self._distinct(fitted(schedule.trace, self.space))

    def neighbours(self, program: tvm.s_tir.Schedule) -> list[tvm.s_tir.Schedule]:
        return self._distinct(neighbours(program, self.space))

    def measurable(self, program: tvm.s_tir.Schedule) -> ScheduledProgram:
        description = self.describe()
        return ScheduledProgram(description.workload_key, description.words, program.mod, self.target)

    def record(self, program: tvm.s_tir.Schedule, measured: Measured) -> Record:
        return record_of(self, program, measured)

    def _distinct(self, programs: Iterable[tvm.s_tir.Schedule]) -> list[tvm.s_tir.Schedule]:
        by_key: dict[str, tvm.s_tir.Schedule] = {}
        for program in programs:
            by_key.setdefault(self.key(program), program)
        return list(by_key.values())
