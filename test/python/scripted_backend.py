"""A tuner of a page: a program is how far a loop is tiled and unrolled, and its time a formula. It needs no TVM."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from familyseer.backend import Description, Effort, ModelPlan, Question
from familyseer.errors import RequestError
from familyseer.learning.cost_model import BoundedModel, TaskRecords, TrainingSettings
from familyseer.measuring.failures import Failure
from familyseer.measuring.program import Measured
from familyseer.networks.weights import NamedWeights
from numpy.typing import NDArray

TARGET = "scripted"
UNROLLS = (0, 16, 64, 512)
# The extents of the loops of a network's tasks, and how often it runs each.
EXTENTS, WEIGHTS = (64, 96, 360), [1, 2, 1]

# Tile, unrolling.
Program = tuple[int, int]


@dataclass(frozen=True)
class ScriptedRecord:
    task: int
    program: Program
    cost: float | None

    def line(self) -> str:
        return json.dumps({"extent": EXTENTS[self.task], "program": self.program, "cost": self.cost})


@dataclass(frozen=True)
class Measurable:
    task: str
    words: str
    target: str
    extent: int
    program: Program


class ScriptedEngine:
    """Measures by the formula: a program is the faster the nearer its tile is to 8; to unroll by 512 fails."""

    def submit(self, program: Measurable, timing: object, built: None = None, hold: bool = False) -> Future[Measured]:
        tile, unroll = program.program
        seconds = 1e-6 * program.extent * (1 + abs(tile - 8) / 8 + (unroll == 0))
        failed = Failure("compile-host", "too long") if unroll == 512 else None
        future: Future[Measured] = Future()
        costs = () if failed else (seconds,)
        future.set_result(Measured(costs, failed, 1.0, 0.0, "scripted", 0.0, 0.0))
        return future

    def release(self, future: Future[Measured]) -> None:
        pass

    def notices(self) -> list[str]:
        return []

    def close(self) -> None:
        pass


class Model:
    def __init__(self, plan: ModelPlan, seed: int) -> None:
        self.name, self.tasks = plan.name, plan.tasks
        self.records = 0
        self.sources: list[str] = []
        self.notice: str | None = None
        self._bounded = BoundedModel(plan.warm_up_records, seed)

    @property
    def trusted(self) -> bool:
        return self._bounded.bst is not None and self.records > self._bounded.warm_up_records

    def scores(self, task: Task, programs: Sequence[Program]) -> NDArray[Any]:
        return self._bounded.scores(task.features(programs))

    def learn_from(self, records: Sequence[ScriptedRecord]) -> None:
        rows = [_features(EXTENTS[record.task], record.program) for record in records]
        seconds = [np.inf if record.cost is None else record.cost for record in records]
        self._bounded.learn(rows, seconds, [record.task for record in records])
        self.records += len(records)

    def begin_with(self, earlier: Sequence[TaskRecords]) -> None:
        self._bounded.begin_with(earlier)

    def learnt(self, task: Task) -> TaskRecords:
        return self._bounded.learnt(task.number)

    def doubt(self) -> None:
        self._bounded.forget_loaded()

    def load(self, path: str) -> None:
        try:
            self._bounded.load(path)
        except Exception as error:
            raise RequestError(f"{path} is no cost model: {error}") from None
        self.sources.append(path)

    def save(self, path: Path) -> bool:
        if self._bounded.bst is None:
            return False
        self._bounded.save(str(path))
        return True


class Explorer:
    def __init__(self, task: Task, model: Model, seed: int) -> None:
        self._task, self._model, self._random = task, model, random.Random(seed)

    def sample(self, effort: Effort) -> list[Program]:
        tiles = _divisors(self._task.extent)
        return [(self._random.choice(tiles), self._random.choice(UNROLLS)) for _ in range(effort.population)]

    def evolve(self, effort: Effort, start: Sequence[Program], count: int) -> list[Program]:
        pool = {*start, *(near for each in start for near in self._task.neighbours(each))}
        programs = sorted(pool)
        order = np.argsort(-self._model.scores(self._task, programs), kind="stable")
        return [programs[index] for index in order[:count]]


@dataclass(frozen=True)
class Task:
    number: int

    @property
    def extent(self) -> int:
        return EXTENTS[self.number]

    def describe(self) -> Description:
        return Description(
            f"loop {self.extent}", "loop", "loop", "a loop", "loop", f"loop {self.extent}", float(self.extent), []
        )

    def explorer(self, model: Model, seed: int) -> Explorer:
        return Explorer(self, model, seed)

    def finished(self, program: Program) -> Program:
        return program

    def key(self, program: Program) -> str:
        return f"{program}"

    def refusal(self, program: Program) -> str | None:
        return "a tile of the whole loop" if program[0] == self.extent else None

    def features(self, programs: Sequence[Program]) -> list[NDArray[np.float32]]:
        return [_features(self.extent, program) for program in programs]

    def draft(self, programs: Sequence[Program]) -> NDArray[Any]:
        return np.array([-float(tile) for tile, _ in programs])

    def schedule(self, program: Program) -> Program:
        return program

    def fit(self, schedule: Program) -> list[Program]:
        tile, unroll = schedule
        return [(min(_divisors(self.extent), key=lambda each: (abs(each - tile), each)), unroll)]

    def neighbours(self, program: Program) -> list[Program]:
        tiles, (tile, unroll) = _divisors(self.extent), program
        place = tiles.index(tile)
        moved = [(each, unroll) for each in tiles[max(0, place - 1) : place + 2] if each != tile]
        return [*moved, *((tile, each) for each in UNROLLS if each != unroll)]

    def measurable(self, program: Program) -> Measurable:
        described = self.describe()
        return Measurable(described.workload_key, described.words, TARGET, self.extent, program)

    def record(self, program: Program, measured: Measured) -> ScriptedRecord:
        return ScriptedRecord(self.number, program, float(np.mean(measured.costs)) if not measured.failure else None)


@dataclass(frozen=True)
class Skipped:
    lines: list[int]

    def described(self) -> list[dict[str, Any]]:
        return [{"reason": "no-record", "of": None, "count": len(self.lines), "lines": self.lines}]


@dataclass(frozen=True)
class LogPart:
    records: list[ScriptedRecord]
    skipped: Skipped
    matched: int = 0


@dataclass(frozen=True)
class Compiled:
    seconds: float
    notices: Sequence[str] = ()

    def export(self, file: str) -> None:
        Path(file).write_text(f"{self.seconds}")

    def outputs(self) -> list[NDArray[Any]]:
        return [np.array(self.seconds)]

    def time(self, repeat: int, min_repeat_ms: int) -> list[float]:
        return [self.seconds] * repeat


class Network:
    def __init__(self) -> None:
        self.tasks = [Task(number) for number in range(len(EXTENTS))]
        self.weights, self.inputs, self.from_cache = WEIGHTS, [], False

    def read(self, log: str, start: int, stop: int | None, other_targets: bool, only: Sequence[int] | None) -> LogPart:
        records, skipped, at = [], [], 0
        for number, line in enumerate(Path(log).read_bytes().splitlines(keepends=True), 1):
            begins, at = at, at + len(line)
            if begins < start or (stop is not None and begins >= stop):
                continue
            try:
                content = json.loads(line)
                task = EXTENTS.index(content["extent"])
                if only is None or task in only:
                    records.append(ScriptedRecord(task, tuple(content["program"]), content["cost"]))
            except ValueError:
                skipped.append(number)
        return LogPart(records, Skipped(skipped))

    def workloads(self, log: str) -> None:
        return None

    def least_seconds(self, threads: int | None) -> list[float] | None:
        return None

    def given(self) -> tuple[dict[str, NDArray[Any]], NamedWeights]:
        return {}, NamedWeights({}, outputs_first=True)

    def compile(self, records: Sequence[ScriptedRecord] | None) -> Compiled:
        best = dict.fromkeys(range(len(EXTENTS)), 1.0)
        for record in records or []:
            best[record.task] = min(best[record.task], record.cost or 1.0)
        return Compiled(sum(weight * best[task] for task, weight in enumerate(WEIGHTS)))


class Scripted:
    name = "scripted"

    def preload(self, target: str) -> tuple[str, ...]:
        return ()

    def parse_target(self, text: str, threads: int | None = None) -> str:
        if text != TARGET:
            raise RequestError(f"Unknown target: {text}. Expected {TARGET}.")
        return text

    def check_network(self, model: str, batch: int, layout: str) -> None:
        if model != "loops":
            raise RequestError(f"Unknown model: {model}. Expected loops.")

    def check_library(self, file: str) -> None:
        pass

    def extract(self, question: Question) -> Network:
        self.check_network(question.model, question.batch, question.layout)
        return Network()

    def cost_model(self, plan: ModelPlan, seed: int, training: TrainingSettings) -> Model:
        return Model(plan, seed)

    def pack(self, schedules: Sequence[Program]) -> dict[str, Any]:
        return {"programs": list(schedules)}

    def unpack(self, data: dict[str, Any]) -> list[Program]:
        programs = data.get("programs")
        if not isinstance(programs, list):
            raise ValueError("there are no programs")
        return [(int(tile), int(unroll)) for tile, unroll in programs]


def _features(extent: int, program: Program) -> NDArray[np.float32]:
    tile, unroll = program
    return np.array([[np.log2(1 + extent), np.log2(1 + tile), np.log2(1 + unroll)]], dtype=np.float32)


def _divisors(number: int) -> list[int]:
    return [each for each in range(1, number + 1) if number % each == 0]
