"""What a tuner implements. All that is not in a tuner's own folder knows tuners by this alone.

`Backend` is the tuner, `Network` a network whose tasks it found, `Task` one of these, `Explorer` a search through a
task's programs, `CostModel` what a family's tasks learn together. test/python/backend_contract.py holds any tuner to
what is said here.

Programs and schedules are opaque: only the tuner that made them looks into them. Neither changes once it was given.

Threads: one thread at a time searches. Beside it, `Task.measurable` and `Task.record` are called from the thread that
measures, and what `measurable` gave is asked from the engine's.

Errors: RequestError for what a user can mend, with what was wrong and what was expected. A program that TVM cannot
lower, build or run raises nothing: `refusal` or its record says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .learning.cost_model import TaskRecords, TrainingSettings
    from .measuring.program import Measured
    from .networks.weights import NamedWeights
    from .targets import Checked, Measures
    from .wire import messages

# A program of a task, as its tuner has it.
Program = Any
# A program's schedule apart from its task, from which `fit` makes programs of another.
Schedule = Any
# What a tuner made and is given back: it may take it for its own.
OwnTask = Any
OwnModel = Any
OwnRecord = Any
# What programs are compiled for. `str` of it is what records and files name it by.
Target = Any


@dataclass(frozen=True)
class Question:
    """The network whose tasks are asked for.

    `model` is a name or a file, `inputs` what the user says of a file's inputs (protocol, `extract`), `threads` how
    many a program runs on where that is a CPU, None: as many as TVM chooses. `block` is the threads and bytes that a
    block may have at most on the GPU where programs run, None where nothing says. `cache` is a folder.
    """

    model: str
    batch: int
    layout: str
    inputs: list[dict[str, Any]]
    target: Target
    threads: int | None = None
    block: tuple[int, int] | None = None
    cache: Path | None = None


@dataclass(frozen=True)
class Description:
    """A task in words and numbers (protocol, `extract`).

    `workload_key` is the same for the same computation, shapes and types; `structure`, a hash, is for other shapes,
    too, as far as the tuner can say that. `tiled_stage`, a hash, is the same where the stage that takes most of the
    time, and that is tiled, computes the same, whatever comes before or after it; a kernel's extents count, and
    strides; empty where no stage is. `core_operation` is by Relay's name, None for a task that computes nothing;
    tasks of one core operation form a family. `words` are for people. `flops` is how many a program does, 0 or less
    where that is not known. Tasks of equal `similarity_tags` are similar to TVM's scheduler.
    """

    workload_key: str
    structure: str
    tiled_stage: str
    description: str
    core_operation: str | None
    words: str
    flops: float
    similarity_tags: list[str]


@dataclass(frozen=True)
class Effort:
    """How many programs a population has, and how often it is evolved."""

    population: int
    generations: int


@dataclass(frozen=True)
class ModelPlan:
    """A cost model that is asked for: its family's name, `xgb` or `random`, its tasks by number, and from how many
    records on its scores count."""

    name: str
    kind: str
    tasks: list[int]
    warm_up_records: int


class Record(Protocol):
    """A program with what was measured of it."""

    @property
    def task(self) -> int:
        """The task's number."""

    @property
    def program(self) -> Program: ...

    @property
    def cost(self) -> float | None:
        """The mean time of a run in seconds, finite and above 0; None of a program that failed."""

    def line(self) -> str:
        """It as a line of the tuner's log, without the line's end. `Network.read` reads it."""


class Skipped(Protocol):
    """The lines of a log that were left out."""

    def described(self) -> list[messages.Skipped]:
        """How many, and the first by number, for each reason (protocol, `load`)."""


@dataclass(frozen=True)
class Workloads:
    """How a log's records name the tasks and the target, where that is by a file of workloads beside it (protocol,
    `workloads`): `lines` are those that the file lacks, of `count` with them; `numbers` is, of each task, that of its
    line, from 0 [tasks]."""

    lines: list[str]
    count: int
    numbers: list[int]
    target: str


class LogPart(Protocol):
    """What was read of a log: the records oldest first, and how many of them another version of TVM wrote."""

    @property
    def records(self) -> Sequence[Record]: ...

    @property
    def skipped(self) -> Skipped: ...

    @property
    def matched(self) -> int: ...


class CostModel(Protocol):
    """What a family's tasks learn together of how fast programs are.

    Equal seeds and records give equal scores, as far as the tuner's features are equal. `records` is how many it learnt
    from, `sources` the files that it took, `notice` what the user is to be told of how it is trained.
    """

    name: str
    tasks: list[int]
    records: int
    sources: list[str]
    notice: str | None

    @property
    def trusted(self) -> bool:
        """It has learnt enough for its scores to be more than random numbers."""

    def scores(self, task: OwnTask, programs: Sequence[Program]) -> NDArray[Any]:
        """Scores [programs]; higher is faster, comparable among programs of one task, -inf for a program without
        features. Random while it is not `trusted`, then above 0 for what it takes to be any good."""

    def learn_from(self, records: Sequence[OwnRecord]) -> None:
        """Trains it on new records, along with those of earlier calls. Failed programs count, too."""

    def begin_with(self, earlier: Sequence[TaskRecords]) -> None:
        """Learns what earlier jobs measured of tasks with the same features, before any record of its own; it is
        trusted from then on. Without effect on a model that keeps no features."""

    def learnt(self, task: OwnTask) -> TaskRecords:
        """What it learnt of a task in this job, for later ones; none of a model that keeps no features."""

    def doubt(self) -> None:
        """Leaves what was loaded, or begun with, out from the next training on."""

    def load(self, path: str) -> None:
        """Takes a file that `save` wrote; raises RequestError for another. It is trusted from then on."""

    def save(self, path: Path) -> bool:
        """Writes it; False, and no file, where there is nothing to write."""


class Explorer(Protocol):
    """A search through one task's programs, which draws from random numbers of its own.

    What it gives may hold programs that it gave before, and ones that TVM cannot lower; who proposes leaves those out.
    """

    def sample(self, effort: Effort) -> list[Program]:
        """Random programs, up to a population of them or a few more; [] for a task that has none."""

    def evolve(self, effort: Effort, start: Sequence[Program], count: int) -> list[Program]:
        """Up to `count` programs, the most promising to the cost model first, that `start` evolved into; `start` is not
        empty, and may hold fitted and measured programs."""


class Task(Protocol):
    """Something to make fast: a computation of the network, whose programs compute the same in different ways."""

    @property
    def number(self) -> int:
        """Its place among the network's tasks, from 0."""

    def describe(self) -> Description: ...

    def explorer(self, model: OwnModel, seed: int) -> Explorer:
        """A new search, by a family's model. No two share random numbers; equal seeds begin with equal ones."""

    def finished(self, program: Program) -> Program:
        """The program as it is proposed, measured and recorded: what `sample` and `evolve` give may lack a part that
        only those need. It has the key of the program; one that is finished stays as it is."""

    def key(self, program: Program) -> str:
        """What tells programs of a task apart: equal for programs that do the same in the same way. No two programs of
        one key are proposed in a job, so that none is measured twice."""

    def refusal(self, program: Program) -> str | None:
        """Why TVM cannot lower the program, in a line; None where it can, as far as that is found out without
        compiling."""

    def features(self, programs: Sequence[Program]) -> list[NDArray[Any]]:
        """Features [stores, n] of each program, n the same for all of a tuner's; all 0 of one that TVM cannot lower."""

    def draft(self, programs: Sequence[Program]) -> NDArray[Any]:
        """Scores [programs] by arithmetic alone, with nothing learnt; higher is faster, -inf without features."""

    def schedule(self, program: Program) -> Schedule:
        """The program's schedule, to fit to other tasks."""

    def fit(self, schedule: Schedule) -> list[Program]:
        """Programs of this task that a schedule of any task becomes, the nearest first, each valid; [] where it does
        not fit. A schedule of its own becomes the program it is of first. Draws nothing at random."""

    def neighbours(self, program: Program) -> list[Program]:
        """Valid programs that differ from a program in one decision, in a fixed order. Some may come to the same as
        another, or as the program, and so have its key. Draws nothing at random."""

    def measurable(self, program: Program) -> Any:
        """How to build and run it (measuring/program.py, `Program`); where it can be simulated, that too
        (simulated/gpu.py, `SimulatedProgram`)."""

    def record(self, program: Program, measured: Measured) -> Record:
        """The record of a program that was measured, or failed."""


class Runnable(Protocol):
    """A network that can be run on the inputs it was made for: by TVM, or by another runtime (rivals/)."""

    def outputs(self) -> list[NDArray[Any]]:
        """What it computes, in the network's own order."""

    def time(self, repeat: int, min_repeat_ms: int) -> list[float]:
        """Seconds per run [repeat], each the mean of runs that take so many milliseconds."""


class Compiled(Runnable, Protocol):
    """A network as TVM built it."""

    @property
    def notices(self) -> list[str]:
        """What the user is to be told of how it was built (protocol, `compile`)."""

    def export(self, file: str) -> None:
        """Writes it as a library that plain TVM loads; the file appears whole or not at all. Raises RequestError for
        what `Backend.check_library` refuses, and what cannot be linked."""


class Network(Protocol):
    """A network's tasks for one target."""

    @property
    def tasks(self) -> Sequence[Task]:
        """In an order that the same question always gives."""

    @property
    def weights(self) -> list[int]:
        """How often the network runs each task [tasks]."""

    @property
    def inputs(self) -> list[messages.DescribedInput]:
        """What the network is compiled for (protocol, `extract`)."""

    @property
    def from_cache(self) -> bool: ...

    def read(self, log: str, start: int, stop: int | None, other_targets: bool, only: Sequence[int] | None) -> LogPart:
        """The records of the tasks in the bytes `start` to `stop` of a log that anyone may have written; the file is
        only read. What cannot be used is skipped, with its reason.

        With `other_targets` records for other targets of the same kind of device count, too; with `only` those of these
        tasks alone. Raises RequestError for a file that cannot be read.
        """

    def workloads(self, log: str) -> Workloads | None:
        """How the records that are made from now on name the tasks in a log, which need not be there yet; None where a
        record says all itself. Writes nothing. Raises RequestError for a log that no records can be added to."""

    def least_seconds(self, threads: int | None) -> list[float] | None:
        """The times below which no program can get on this machine [tasks]; None where programs run elsewhere.

        Runs small programs for about a second on the calling thread, which TVM has been told its CPUs on; `threads`: as
        in `Question`.
        """

    def given(self) -> tuple[dict[str, NDArray[Any]], NamedWeights]:
        """What `compile` gives the network: the inputs that it is run on, in its own order, and its weights."""

    def compile(self, records: Sequence[OwnRecord] | None) -> Compiled:
        """Builds the network; with records, each task by its best one. Raises RequestError for what TVM cannot
        build."""


class Backend(Protocol):
    """A tuner."""

    @property
    def name(self) -> str:
        """What users call it: `ansor`, `metaschedule`."""

    def preload(self, target: Target) -> tuple[str, ...]:
        """The modules, by name, that builders of its programs for a target need beside TVM, so that no builder imports
        them anew."""

    def parse_target(self, text: str, threads: int | None = None) -> Target:
        """A target; `native` is this machine's CPU, where a program runs on so many threads (as in `Question`). Raises
        RequestError for one that TVM does not know, or that there is no search for."""

    def check_target(self, text: str, measures: Measures) -> Checked:
        """Tries a target (targets.py, `check_target`). Raises RequestError for what `parse_target` refuses, and for
        processors and features that LLVM does not know."""

    def check_network(self, model: str, batch: int, layout: str) -> None:
        """Builds nothing. Raises RequestError for a network that `extract` would not find."""

    def check_library(self, file: str) -> None:
        """Raises RequestError for a file that no library can be written to."""

    def extract(self, question: Question) -> Network:
        """Finds a network's tasks, or takes them from the cache. Raises RequestError for a network that has none, or
        that could be tuned but then not be run."""

    def cost_model(self, plan: ModelPlan, seed: int, training: TrainingSettings) -> CostModel:
        """A new model that has learnt nothing. Raises RequestError for a way of training that it does not have."""

    def pack(self, schedules: Sequence[Schedule]) -> dict[str, Any]:
        """Schedules of one task as data of JSON, for a later job."""

    def unpack(self, data: dict[str, Any]) -> list[Schedule]:
        """The schedules that `pack` was given. It is data that anyone may have written: nothing in it is run. Raises
        ValueError for anything else."""
