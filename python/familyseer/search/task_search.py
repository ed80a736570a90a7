"""The search on one task: what was proposed, measured and learnt of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from ..backend import Effort

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from numpy.typing import NDArray

    from ..backend import CostModel, Program, Record, Schedule, Task
    from ..measuring.program import Measured
    from ..wire.messages import Origin


@dataclass(frozen=True)
class SearchSettings:
    """How programs are searched; the defaults are TVM's."""

    population: int = 2048
    generations: int = 4
    eps_greedy: float = 0.05
    use_measured_ratio: float = 0.2
    seed: int = 0

    @property
    def effort(self) -> Effort:
        return Effort(self.population, self.generations)


@dataclass(frozen=True)
class Candidate:
    """A program that is to be measured, and where it came from. `again`: it was measured before, while other work
    disturbed it."""

    program: Program
    origin: Origin
    again: bool = False


class Donor(Protocol):
    """A task, of this job or an earlier one, whose best schedules can be fitted to another."""

    def donations(self, count: int) -> list[tuple[str, Schedule]]:
        """The best programs' schedules, best first, and a name for each that always stays its own."""


class TaskSearch:
    """The search on one task.

    `measured` has the cost in seconds and the program of all that ran, `seen` the keys of all that were ever proposed.
    """

    def __init__(self, task: Task, model: CostModel, settings: SearchSettings, carried: Sequence[Donor] = ()) -> None:
        """`carried`: tasks of earlier jobs of the same family."""
        self.task = task
        self.model = model
        self.settings = settings
        self.carried = carried
        self.candidates: dict[int, Candidate] = {}
        self.measuring: dict[int, Future[Measured]] = {}
        self.seen: set[str] = set()
        self.measured: list[tuple[float, Program]] = []
        # Measured, and not yet held against the model; then what it is to be trained on.
        self.to_review: list[Record] = []
        self.to_learn: list[Record] = []
        # Measured while other work disturbed it: the records since the last review, and, with what each is expected to
        # take undisturbed, in seconds, the programs that were not measured again since.
        self.disturbed: list[Record] = []
        self.in_doubt: list[tuple[float, Candidate]] = []
        self.refusal: str | None = None
        # What a donor's schedule, and a program of this task's own by one decision, become (recipes.py).
        self.fitted: dict[tuple[Donor, str], list[Program]] = {}
        self.moved: dict[str, list[Program]] = {}
        seed = settings.seed * 1009 + task.number
        self.random = random.Random(seed)
        self.explorer = task.explorer(model, seed)

    def best(self, count: int) -> list[Program]:
        """The best measured programs, best first."""
        return [program for _, program in sorted(self.measured, key=lambda entry: entry[0])[:count]]

    def ran_again(self, cost: float, program: Program) -> None:
        """Takes what a program that was measured again cost, in seconds. The least counts."""
        costs = [each for each, of in self.measured if of is program]
        self.measured = [entry for entry in self.measured if entry[1] is not program]
        self.measured.append((min(cost, *costs), program))

    def take_doubted(self, count: int) -> list[Candidate]:
        """Up to `count` programs, the most promising first, that other work disturbed and that without it are expected
        to be better than the best."""
        best = min(self.measured, key=lambda entry: entry[0], default=None)
        if best is None:
            return []
        hopeful = [
            (expected, candidate)
            for expected, candidate in self.in_doubt
            if expected < best[0] and candidate.program is not best[1]
        ]
        self.in_doubt = sorted(hopeful, key=lambda entry: entry[0])
        taken, self.in_doubt = self.in_doubt[:count], self.in_doubt[count:]
        return [replace(candidate, again=True) for _, candidate in taken]

    def scores(self, programs: Sequence[Program]) -> NDArray[Any]:
        """What the family's model says of programs [programs]; higher is faster."""
        return self.model.scores(self.task, programs)

    def donations(self, count: int) -> list[tuple[str, Schedule]]:
        """The best programs' schedules, and the key of each."""
        return [(self.task.key(program), self.task.schedule(program)) for program in self.best(count)]

    def unseen(self, programs: Sequence[Program]) -> list[Program]:
        """Those that were never proposed."""
        return [program for program in programs if self.task.key(program) not in self.seen]

    def take(self, programs: Sequence[Program], count: int, origin: Origin, lowered: bool = False) -> list[Candidate]:
        """Candidates from the first `count` programs that were never proposed; from now on they count as proposed.

        With `lowered` none is taken that TVM cannot lower: a building of it would fail. `refusal` is the last error;
        who proposes clears it.
        """
        taken: list[Candidate] = []
        for each in programs:
            if len(taken) >= count:
                break
            program = self.task.finished(each)
            key = self.task.key(program)
            if key not in self.seen:
                self.seen.add(key)
                refusal = self.task.refusal(program) if lowered else None
                if refusal is None:
                    taken.append(Candidate(program, origin))
                else:
                    self.refusal = refusal
        return taken
