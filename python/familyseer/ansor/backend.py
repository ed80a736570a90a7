"""TVM's auto-scheduler (Ansor) as the tuner (backend.py of the package). TVM is imported where it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

import fastjsonschema

from ..errors import RequestError
from ..networks.weights import NamedWeights
from ..targets import KINDS, check_target
from .networks import asked_inputs, build_network, check_network
from .target import parse_target

if TYPE_CHECKING:
    import tvm
    from numpy.typing import NDArray

    from ..backend import ModelPlan, Question
    from ..learning.cost_model import TrainingSettings
    from ..log_lines import LogPart
    from ..targets import Checked, Measures
    from .cost_model import CostModel
    from .latency import CompiledNetwork
    from .networks import Network
    from .records import Record
    from .task import AnsorTask, Schedule
    from .tasks import TaskList

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
_are_schedules = fastjsonschema.compile(
    {
        "type": "object",
        "required": ["stages", "programs"],
        "properties": {
            "stages": {"type": "array", "items": _STAGE},
            "programs": {"type": "array", "items": {"type": "array", "items": {"type": "array"}}},
        },
    }
)


class Ansor:
    """TVM's auto-scheduler, with networks in Relay."""

    name = "ansor"

    def preload(self, target: tvm.target.Target) -> tuple[str, ...]:
        from .programs import PRELOAD

        return PRELOAD

    def parse_target(self, text: str, threads: int | None = None) -> tvm.target.Target:
        target = parse_target(text)
        kind = target.kind.name
        if kind not in KINDS:
            raise RequestError(
                f"Targets of the kind {kind} cannot be tuned: TVM's auto-scheduler has no search for them. "
                f"Expected one of the kinds {', '.join(KINDS)}."
            )
        return target

    def check_target(self, text: str, measures: Measures) -> Checked:
        return check_target(text, self.parse_target(text), measures, "familyseer.ansor.target")

    def check_network(self, model: str, batch: int, layout: str) -> None:
        check_network(model, batch, layout)

    def check_library(self, file: str) -> None:
        from ..library import check_library

        check_library(file)

    def extract(self, question: Question) -> AnsorNetwork:
        from .tasks import extract

        found = extract(
            question.model,
            question.batch,
            question.layout,
            question.target,
            question.cache,
            asked_inputs(question.inputs),
            question.threads,
            question.block,
        )
        return AnsorNetwork(question, found)

    def cost_model(self, plan: ModelPlan, seed: int, training: TrainingSettings) -> CostModel:
        from .cost_model import CostModel

        return CostModel(plan.name, plan.kind, plan.tasks, plan.warm_up_records, seed, training)

    def pack(self, schedules: Sequence[Schedule]) -> dict[str, Any]:
        return {
            "stages": [asdict(stage) for stage in schedules[0].stages],
            "programs": [schedule.steps for schedule in schedules],
        }

    def unpack(self, data: dict[str, Any]) -> list[Schedule]:
        from .steps import Stage
        from .task import Schedule

        _are_schedules(data)
        stages = tuple(Stage(**{**stage, "extents": tuple(stage["extents"])}) for stage in data["stages"])
        return [Schedule(stages, steps) for steps in data["programs"]]


class AnsorNetwork:
    """The search tasks of a network, which is built again where it is to be compiled (backend.py, `Network`)."""

    def __init__(self, question: Question, found: TaskList) -> None:
        self._question = question
        self._found = found
        self.weights = found.weights
        self.inputs = found.inputs
        self.from_cache = found.from_cache

    @cached_property
    def tasks(self) -> list[AnsorTask]:
        from .task import AnsorTask

        return [AnsorTask(number, task) for number, task in enumerate(self._found.tasks)]

    def read(
        self, log: str, start: int, stop: int | None, other_targets: bool, only: Sequence[int] | None
    ) -> LogPart[Record]:
        from .records import read_records

        return read_records(log, self._found.tasks, start, stop, other_targets, only=only)

    def workloads(self, log: str) -> None:
        """A record has its task's key and the target."""

    def least_seconds(self, threads: int | None) -> list[float] | None:
        from .roofline import least_seconds, measure_machine

        machine = measure_machine(self._question.target, threads)
        if machine is None:
            return None
        return [least_seconds(task.compute_dag, machine) for task in self._found.tasks]

    def given(self) -> tuple[dict[str, NDArray[Any]], NamedWeights]:
        network = self._build()
        # What several names have stays one array.
        arrays = {id(each): each.numpy() for each in network.weights.values()}
        weights = {name: arrays[id(each)] for name, each in network.weights.items()}
        return network.inputs, NamedWeights(weights, outputs_first=True)

    def compile(self, records: Sequence[Record] | None) -> CompiledNetwork:
        from .latency import compile_network

        return compile_network(self._build(), self._question.target, records)

    def _build(self) -> Network:
        asked = self._question
        return build_network(asked.model, asked.batch, asked.layout, asked_inputs(asked.inputs))
