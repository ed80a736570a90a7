"""A family's cost model on MetaSchedule's schedules: the bounded model, or TVM's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from tvm.ir.utils import derived_object
from tvm.s_tir.meta_schedule.cost_model import CostModel as TvmCostModel
from tvm.s_tir.meta_schedule.cost_model import PyCostModel, XGBModel
from tvm.s_tir.meta_schedule.cost_model.xgb_model import XGBConfig
from tvm.s_tir.meta_schedule.runner import RunnerResult

from ..errors import RequestError
from ..learning.cost_model import BoundedModel, TaskRecords, TrainingSettings, device_parameters
from . import features

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from tvm.s_tir import Schedule
    from tvm.s_tir.meta_schedule import TuneContext
    from tvm.s_tir.meta_schedule.search_strategy import MeasureCandidate

    from .bare_task import BareTask
    from .records import Record

# From this score on TVM's search is told scores as they are; those below become smaller and smaller positive ones.
_GOOD = 0.05


class CostModel:
    """One family's cost model, and what it was trained on (backend.py, `CostModel`)."""

    def __init__(
        self,
        name: str,
        kind: str,
        tasks: list[int],
        warm_up_records: int,
        seed: int,
        training: TrainingSettings,
    ) -> None:
        self.name = name
        self.tasks = tasks
        self.records = 0
        self.sources: list[str] = []
        self.notice: str | None = None
        self._random = np.random.default_rng(seed)
        self._model: BoundedModel | ReferenceModel | None = None
        if kind != "xgb":
            return
        if training.mode == "reference":
            if training.device == "cuda":
                raise RequestError(
                    "Reference training is on the CPU only, by TVM's own model. Expected bounded training, or not cuda."
                )
            self._model = ReferenceModel(warm_up_records, seed)
        else:
            parameters, self.notice = device_parameters(training.device)
            self._model = BoundedModel(warm_up_records, seed, parameters)

    @property
    def trusted(self) -> bool:
        """It has learnt enough for its scores to be more than random numbers."""
        model = self._model
        return model is not None and model.bst is not None and self.records > model.warm_up_records

    def scores(self, task: BareTask, programs: Sequence[Schedule]) -> NDArray[Any]:
        found = task.features(programs)
        known = [place for place, rows in enumerate(found) if rows.any()]
        scores = np.full(len(programs), -np.inf)
        if not known:
            return scores
        if not self.trusted:
            scores[known] = self.at_random(len(known))
        elif isinstance(self._model, ReferenceModel):
            scores[known] = self._model.scores(task, [programs[place] for place in known])
        elif self._model is not None:
            scores[known] = self._model.scores([found[place] for place in known])
        return scores

    def at_random(self, count: int) -> NDArray[np.float64]:
        """Scores that say nothing [count]."""
        return self._random.uniform(0, 1, count)

    def asked_by_search(self, task: BareTask) -> TvmCostModel:
        """It as TVM's search asks it."""
        return AskedModel(self, task)

    def learn_from(self, records: Sequence[Record]) -> None:
        if not records:
            return
        if isinstance(self._model, ReferenceModel):
            self._model.learn(records)
        elif self._model is not None:
            found = [
                rows
                for task, group in groupby(records, lambda record: record.of)
                for rows in task.features([record.program for record in group])
            ]
            seconds = [math.inf if record.cost is None else record.cost for record in records]
            self._model.learn(found, seconds, [record.task for record in records])
        self.records += len(records)

    def begin_with(self, earlier: Sequence[TaskRecords]) -> None:
        if isinstance(self._model, BoundedModel):
            self._model.begin_with(earlier)

    def learnt(self, task: BareTask) -> TaskRecords:
        return self._model.learnt(task.number) if isinstance(self._model, BoundedModel) else TaskRecords([], [])

    def doubt(self) -> None:
        """Leaves earlier jobs' trees and records out from the next training on, where it has any."""
        if isinstance(self._model, BoundedModel):
            self._model.forget_loaded()

    def load(self, path: str) -> None:
        """Takes a model file that `save` wrote; it is trusted from the first round on."""
        if self._model is not None:
            try:
                self._model.load(path)
            except Exception as error:
                raise RequestError(
                    f"{path} cannot be loaded as the cost model of {self.name}: {str(error).splitlines()[0]}. "
                    "Expected a model file that an earlier run saved."
                ) from None
            self.sources.append(path)

    def save(self, path: Path) -> bool:
        """Writes the model; False for one that has learnt nothing yet, or that has nothing to write."""
        if self._model is None or self._model.bst is None:
            return False
        self._model.save(str(path))
        return True


@derived_object
class AskedModel(PyCostModel):
    """A family's model as TVM's search asks cost models, of the programs of one task."""

    def __init__(self, model: CostModel, task: BareTask) -> None:
        super().__init__()
        self._model = model
        self._task = task

    def predict(self, _context: TuneContext, candidates: Sequence[MeasureCandidate]) -> NDArray[np.float64]:
        """Scores above 0, in the order of the model's: TVM takes what is below for 0, and draws parents by them."""
        if not self._model.trusted:
            return self._model.at_random(len(candidates))
        return positive(self._model.scores(self._task, [each.sch for each in candidates]))


def positive(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores in the same order, and above 0; those that are good stay as they are."""
    low = _GOOD * np.exp(np.minimum(scores, _GOOD) / _GOOD - 1)
    return np.maximum(np.where(scores < _GOOD, low, scores), np.finfo(np.float32).tiny)


class ReferenceModel:
    """TVM's own XGBModel, which learns from all records anew whenever they have grown by a fifth.

    It is saved as trees alone: reading a file of TVM's own would run what is in it.
    """

    def __init__(self, warm_up_records: int, seed: int) -> None:
        self.warm_up_records = warm_up_records
        config = XGBConfig(seed=seed or XGBConfig().seed)
        self._model = XGBModel(config=config, num_warmup_samples=warm_up_records, verbose_eval=0)

    @property
    def bst(self) -> Any:
        """The trees; None before anything was learnt."""
        return self._model.booster

    def learn(self, records: Sequence[Record]) -> None:
        for task, group in groupby(records, lambda record: record.of):
            lowered = [record for record in group if task.refusal(record.program) is None]
            programs = [features.candidate(record.program) for record in lowered]
            self._model.update(task.space.context, programs, [_result(record.cost) for record in lowered])

    def scores(self, task: BareTask, programs: Sequence[Schedule]) -> NDArray[Any]:
        candidates = [features.candidate(each) for each in programs]
        return np.asarray(self._model.predict(task.space.context, candidates))

    def save(self, file_name: str) -> None:
        self._model.booster.save_model(file_name)

    def load(self, file_name: str) -> None:
        """Takes the trees of a file until there are records to learn from."""
        import xgboost

        booster = xgboost.Booster()
        booster.load_model(file_name)
        self._model.booster = booster
        self._model.num_warmup_samples = 0
        self.warm_up_records = -1


def _result(cost: float | None) -> RunnerResult:
    return RunnerResult(None, "failed") if cost is None else RunnerResult([cost], None)
