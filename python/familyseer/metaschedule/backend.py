"""TVM's MetaSchedule as the tuner (backend.py of the package). TVM is imported where it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..networks.weights import NamedWeights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..backend import ModelPlan, Question, Workloads
    from ..learning.cost_model import TrainingSettings
    from ..log_lines import LogPart
    from ..targets import Checked, Measures
    from .cost_model import CostModel
    from .latency import CompiledNetwork
    from .networks import Network
    from .records import Record
    from .target import MetaTarget
    from .task import MetaTask, Schedule
    from .tasks import TaskList


class MetaSchedule:
    """TVM's MetaSchedule, with networks in Relax."""

    name = "metaschedule"

    def preload(self, target: MetaTarget) -> tuple[str, ...]:
        from .programs import preload

        return preload(target.tvm)

    def parse_target(self, text: str, threads: int | None = None) -> MetaTarget:
        from .target import parse_target

        return parse_target(text, threads)

    def check_target(self, text: str, measures: Measures) -> Checked:
        from ..targets import check_target

        return check_target(text, self.parse_target(text).tvm, measures, "familyseer.metaschedule.target")

    def check_network(self, model: str, batch: int, layout: str) -> None:
        from .networks import check_network

        check_network(model, batch, layout)

    def check_library(self, file: str) -> None:
        from ..library import check_library

        check_library(file)

    def extract(self, question: Question) -> MetaScheduleNetwork:
        from .tasks import extract

        asked = question.model, question.batch, question.layout, question.target, question.cache, question.inputs
        return MetaScheduleNetwork(question, extract(*asked))

    def cost_model(self, plan: ModelPlan, seed: int, training: TrainingSettings) -> CostModel:
        from .cost_model import CostModel

        return CostModel(plan.name, plan.kind, plan.tasks, plan.warm_up_records, seed, training)

    def pack(self, schedules: Sequence[Schedule]) -> dict[str, Any]:
        return {"module": schedules[0].module, "programs": [schedule.trace for schedule in schedules]}

    def unpack(self, data: dict[str, Any]) -> list[Schedule]:
        from .task import Schedule
        from .traces import check

        if not (isinstance(data.get("module"), str) and isinstance(data.get("programs"), list)):
            raise ValueError("a task has no module or no programs")
        for trace in data["programs"]:
            check(trace)
        return [Schedule(data["module"], trace) for trace in data["programs"]]


class MetaScheduleNetwork:
    """The tasks of a network, which is built again where it is to be compiled (backend.py, `Network`)."""

    def __init__(self, question: Question, found: TaskList) -> None:
        self._question = question
        self._found = found
        self.weights = found.weights
        self.inputs = found.inputs
        self.from_cache = found.from_cache

    @cached_property
    def tasks(self) -> list[MetaTask]:
        from .task import MetaTask

        target = self._question.target
        return [MetaTask(number, task, target) for number, task in enumerate(self._found.tasks)]

    def read(
        self, log: str, start: int, stop: int | None, other_targets: bool, only: Sequence[int] | None
    ) -> LogPart[Record]:
        from .records import read_records

        return read_records(log, self.tasks, self._question.target, start, stop, other_targets, only)

    def workloads(self, log: str) -> Workloads:
        from .database import workloads_for

        named = workloads_for(log, [task.module for task in self.tasks], self._question.target)
        for task, number in zip(self.tasks, named.numbers):
            task.workload = number
        return named

    def least_seconds(self, threads: int | None) -> list[float] | None:
        from .roofline import least_seconds

        return least_seconds(self._found.tasks, self._question.target, threads)

    def given(self) -> tuple[dict[str, NDArray[Any]], NamedWeights]:
        network = self._build()
        names = [str(each.name) for each in network.module["main"].params]
        weights = dict(zip(names[len(network.inputs()) :], network.weights))
        return network.examples(), NamedWeights(weights, outputs_first=False)

    def compile(self, records: Sequence[Record] | None) -> CompiledNetwork:
        from .latency import compile_network

        return compile_network(self._build(), self._question.target, records)

    def _build(self) -> Network:
        from .networks import build_network

        asked = self._question
        return build_network(asked.model, asked.batch, asked.layout, asked.inputs)
