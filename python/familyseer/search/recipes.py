"""Where a round's candidates come from: evolution alone, as in TVM, or by a recipe, which adds siblings' best
schedules, those of earlier jobs, moves from the task's own best program, and the best of random ones.

A recipe (src/core/fast/recipe.ts decides on it) says how many programs each origin gives; what one has too few of, the
others give. Programs are ranked by the family's cost model once it has learnt enough, by the tuner's draft before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import Effort
from .task_search import Candidate, Donor, TaskSearch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..backend import Program
    from ..wire.messages import Origin

EARLIER: Origin = "earlier"
SIBLING: Origin = "sibling"
DESCENT: Origin = "descent"
EVOLUTION: Origin = "evolution"
RANDOM: Origin = "random"
ORIGINS = (EARLIER, SIBLING, DESCENT, EVOLUTION, RANDOM)
# So many of a donor's best programs are fitted, and so many of a task's best are moved from.
_DONATED = 3
_MOVED_FROM = 3
# Of so many times as many random programs as are wanted, the draft keeps the better half to draw from: of the fastest
# tenth it drops few (docs/results/draft.md).
_SAMPLED = 8
_DRAFT_KEEPS = 0.5
# A model expects no more than this of one schedule: its scores mean little far from what it has seen.
_MOST_GAIN = 1.0


@dataclass(frozen=True)
class Recipe:
    """How many programs to take from each origin, whose schedules to fit, and how hard to evolve."""

    programs: dict[Origin, int]
    donors: list[int]
    population: int
    generations: int
    draft: bool

    @property
    def effort(self) -> Effort:
        return Effort(self.population, self.generations)


def by_evolution(search: TaskSearch, programs: int) -> list[Candidate]:
    """What TVM's `continue_search_one_round` would measure: the best measured programs join the initial population,
    some candidates are drawn at random (TVM: src/auto_scheduler/search_policy/sketch_policy.cc)."""
    settings = search.settings
    population = search.explorer.sample(settings.effort)
    if not population:
        return []
    at_random = search.random.sample(population, min(len(population), 3 * programs))
    best = search.best(int(settings.use_measured_ratio * settings.population))
    evolved = search.explorer.evolve(settings.effort, [*population, *best], programs * 2)
    taken = search.take(evolved, programs - int(settings.eps_greedy * programs), EVOLUTION)
    taken += search.take(at_random, programs - len(taken), RANDOM)
    return taken + search.take(evolved, programs - len(taken), EVOLUTION)


def by_recipe(search: TaskSearch, donors: list[TaskSearch], recipe: Recipe, programs: int) -> list[Candidate]:
    """Up to `programs` candidates; fewer only where the recipe's origins are exhausted, or TVM can lower no more."""
    earlier, siblings = (
        [program for donor in of for program in _fitted(search, donor)] for of in (search.carried, donors)
    )
    fitting = [*siblings, *earlier]
    origins = {
        EARLIER: lambda: _ranked(search, earlier, recipe.draft),
        SIBLING: lambda: _ranked(search, siblings, recipe.draft),
        DESCENT: lambda: _ranked(search, _moved(search), recipe.draft),
        EVOLUTION: lambda: _evolved(search, fitting, recipe, 2 * programs),
        RANDOM: lambda: _sampled(search, programs, recipe.draft),
    }
    taken: list[Candidate] = []
    found: dict[Origin, list[Program]] = {}
    for origin, count in recipe.programs.items():
        if count > 0:
            found[origin] = origins[origin]()
            taken += search.take(found[origin], min(count, programs - len(taken)), origin, lowered=True)
    if EVOLUTION in found and RANDOM not in found and len(taken) < programs:
        found[RANDOM] = origins[RANDOM]()
    for origin, made in found.items():
        taken += search.take(made, programs - len(taken), origin, lowered=True)
    return taken


def expected_gain(search: TaskSearch, donor: TaskSearch) -> float:
    """By how much the family's model expects the donor's best schedules to raise the throughput of a sibling's best
    program; 0 where it expects nothing or knows too little."""
    programs = search.unseen(_fitted(search, donor))
    best = search.best(1)
    if not programs or not best or not search.model.trusted:
        return 0.0
    scores = search.scores([*best, *programs])
    if not scores[0] > 0:
        return 0.0
    return float(np.clip(scores[1:].max() / scores[0] - 1, 0, _MOST_GAIN))


def _fitted(search: TaskSearch, donor: Donor) -> list[Program]:
    """The donor's best schedules fitted to this task, best first."""
    programs = []
    for name, schedule in donor.donations(_DONATED):
        if (donor, name) not in search.fitted:
            search.fitted[donor, name] = search.task.fit(schedule)
        programs += search.fitted[donor, name]
    return programs


def _moved(search: TaskSearch) -> list[Program]:
    """Programs one decision away from the best that has any left unseen."""
    for program in search.best(_MOVED_FROM):
        key = search.task.key(program)
        if key not in search.moved:
            search.moved[key] = search.task.neighbours(program)
        unseen = search.unseen(search.moved[key])
        if unseen:
            return unseen
    return []


def _evolved(search: TaskSearch, fitting: list[Program], recipe: Recipe, count: int) -> list[Program]:
    """Evolved from random programs, the best measured ones and the schedules of siblings and earlier jobs."""
    population = search.explorer.sample(recipe.effort)
    best = search.best(int(search.settings.use_measured_ratio * recipe.population))
    # More of the fitted ones than that would take a small evolution longer than they are worth to it.
    start = [*population, *best, *fitting[: recipe.population // 2]]
    return search.explorer.evolve(recipe.effort, start, count) if start else []


def _sampled(search: TaskSearch, count: int, draft: bool) -> list[Program]:
    """Random programs; with `draft` from the better ones of many."""
    sample = search.explorer.sample(Effort(_SAMPLED * count, 0))
    if draft and sample:
        sample = _in_order(sample, search.task.draft(sample))[: max(count, int(_DRAFT_KEEPS * len(sample)))]
    search.random.shuffle(sample)
    return sample


def _ranked(search: TaskSearch, programs: list[Program], draft: bool) -> list[Program]:
    """The most promising first, as far as anything is known."""
    programs = search.unseen(programs)
    if programs and search.model.trusted:
        return _in_order(programs, search.scores(programs))
    return _in_order(programs, search.task.draft(programs)) if programs and draft else programs


def _in_order(programs: list[Program], scores: NDArray[Any]) -> list[Program]:
    """By falling scores, without those that have no features: TVM cannot lower them, or no GPU could run them."""
    order = np.argsort(-scores, kind="stable")
    return [programs[index] for index in order if scores[index] > -np.inf]
