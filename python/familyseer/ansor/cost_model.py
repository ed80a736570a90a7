"""A family's cost model on the auto-scheduler's states: the bounded model, or TVM's own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from tvm import auto_scheduler
from tvm.auto_scheduler.cost_model.cost_model import PythonBasedModel

from ..errors import RequestError
from ..learning.cost_model import BoundedModel, TaskRecords, TrainingSettings, device_parameters
from . import features

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from tvm.auto_scheduler import MeasureInput, MeasureResult, SearchTask
    from tvm.auto_scheduler.loop_state import StateObject

    from .records import Record
    from .task import AnsorTask


class CostModel:
    """One family's cost model, and what it was trained on (backend.py, `CostModel`); `model` is what TVM's search
    asks."""

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
        self.kind = kind
        self.tasks = tasks
        self.records = 0
        self.sources: list[str] = []
        self.notice: str | None = None
        if kind != "xgb":
            self.model = auto_scheduler.RandomModel()
        elif training.mode == "reference":
            if training.device == "cuda":
                raise RequestError(
                    "Reference training is on the CPU only, by TVM's own model. Expected bounded training, or not cuda."
                )
            self.model = auto_scheduler.XGBModel(num_warmup_sample=warm_up_records, seed=seed, verbose_eval=0)
        else:
            parameters, self.notice = device_parameters(training.device)
            self.model = StateModel(BoundedModel(warm_up_records, seed, parameters))

    @property
    def trusted(self) -> bool:
        """It has learnt enough for its scores to be more than random numbers."""
        return self.kind == "xgb" and self.model.bst is not None and self.records > self.model.num_warmup_sample

    def load(self, path: str) -> None:
        """Takes a model file that `save` wrote; it is trusted from the first round on."""
        if self.kind == "xgb":
            try:
                self.model.load(path)
            except Exception as error:
                raise RequestError(
                    f"{path} cannot be loaded as the cost model of {self.name}: {str(error).splitlines()[0]}. "
                    "Expected a model file that an earlier run saved."
                ) from None
            self.sources.append(path)

    def begin_with(self, earlier: Sequence[TaskRecords]) -> None:
        if isinstance(self.model, StateModel):
            self.model.bounded.begin_with(earlier)

    def learnt(self, task: AnsorTask) -> TaskRecords:
        if not isinstance(self.model, StateModel):
            return TaskRecords([], [])
        return self.model.bounded.learnt(_named(task.search_task))

    def doubt(self) -> None:
        """Leaves earlier jobs' trees and records out from the next training on, where it has any."""
        if isinstance(self.model, StateModel):
            self.model.bounded.forget_loaded()

    def learn(self, inputs: list[MeasureInput], results: list[MeasureResult]) -> None:
        if inputs:
            self.model.update(inputs, results)
            self.records += len(inputs)

    def learn_from(self, records: Sequence[Record]) -> None:
        self.learn([record.input for record in records], [record.result for record in records])

    def scores(self, task: AnsorTask, programs: Sequence[StateObject]) -> NDArray[Any]:
        return np.asarray(self.model.predict(task.search_task, list(programs)))

    def save(self, path: Path) -> bool:
        """Writes the model; False for one that has learnt nothing yet, or that has nothing to write."""
        if self.kind != "xgb" or self.model.bst is None:
            return False
        self.model.save(str(path))
        return True


class StateModel(PythonBasedModel):
    """The bounded model as TVM's search asks cost models, and with what TVM's XGBModel has besides.

    TVM's features of a program may differ from one extraction to the next, as it orders buffers of equal size
    arbitrarily; so may the scores.
    """

    def __init__(self, bounded: BoundedModel) -> None:
        super().__init__()
        self.bounded = bounded

    @property
    def bst(self) -> Any:
        """The trees; None before anything was learnt."""
        return self.bounded.bst

    @property
    def num_warmup_sample(self) -> int:
        return self.bounded.warm_up_records

    def update(self, inputs: list[MeasureInput], results: list[MeasureResult]) -> None:
        """Learns from new records, along with those of earlier calls."""
        if len(inputs) > 0:
            rows = features.of_records(inputs, results)
            self.bounded.learn(rows, [_mean_cost(result) for result in results], [_named(one.task) for one in inputs])

    def predict(self, task: SearchTask, states: list[StateObject]) -> NDArray[np.float64]:
        """Scores of programs [states]; higher is faster."""
        return self.bounded.scores(features.of_states(states, task))

    def predict_stages(self, task: SearchTask, states: list[StateObject]) -> NDArray[np.float64]:
        """`predict`'s scores, then for each state how many stores it has and their scores, all in one array."""
        scores, of_stores = self.bounded.scores_of_stores(features.of_states(states, task))
        parts = [part for each in of_stores for part in ([len(each)], each)]
        return np.concatenate([scores, *parts])

    def save(self, file_name: str) -> None:
        self.bounded.save(file_name)

    def load(self, file_name: str) -> None:
        self.bounded.load(file_name)


def _named(task: SearchTask) -> tuple[str, str]:
    return task.workload_key, str(task.target)


def _mean_cost(result: MeasureResult) -> float:
    """Mean cost in seconds; inf for a program that failed."""
    if result.error_no != 0:
        return math.inf
    cost = float(np.mean([value.value for value in result.costs]))
    return cost if math.isfinite(cost) and cost > 0 else math.inf
