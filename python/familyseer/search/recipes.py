"""Where a round's candidates come from: evolution alone, as in TVM, or by a recipe, which adds siblings' best
schedules, moves from the task's own best program, and the best of random ones.

A recipe (src/core/fast/recipe.ts decides on it) says how many programs each origin gives; what one has too few of, the
others give. Programs are ranked by the family's cost model once it has learnt enough, by the analytic draft before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..learning.draft import draft_scores
from ..targets import on_cpu
from . import features
from .schedules import UNROLL_CPU, UNROLL_GPU, fitted, neighbours, state_of, steps_of
from .task_search import Candidate, Donor, TaskSearch

if TYPE_CHECKING:
    from tvm.auto_scheduler.loop_state import StateObject

    from ..wire.messages import Origin

SIBLING: Origin = "sibling"
DESCENT: Origin = "descent"
EVOLUTION: Origin = "evolution"
RANDOM: Origin = "random"
ORIGINS = (SIBLING, DESCENT, EVOLUTION, RANDOM)
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


def by_evolution(search: TaskSearch, programs: int) -> list[Candidate]:
    """What TVM's `continue_search_one_round` would measure: the best measured programs join the initial population,
    some candidates are drawn at random (TVM: src/auto_scheduler/search_policy/sketch_policy.cc)."""
    settings = search.settings
    policy = search.policy(settings.population, settings.generations)
    population = list(policy.sample_initial_population())
    if not population:
        return []
    at_random = search.random.sample(population, min(len(population), 3 * programs))
    best = search.best(int(settings.use_measured_ratio * settings.population))
    evolved = list(policy.evolutionary_search(population + best, programs * 2))
    taken = search.take(evolved, programs - int(settings.eps_greedy * programs), EVOLUTION)
    taken += search.take(at_random, programs - len(taken), RANDOM)
    return taken + search.take(evolved, programs - len(taken), EVOLUTION)


def by_recipe(search: TaskSearch, donors: list[TaskSearch], recipe: Recipe, programs: int) -> list[Candidate]:
    """Up to `programs` candidates; fewer only where the recipe's origins are exhausted, or TVM can lower no more."""
    fitting = [state for donor in [*donors, *search.carried] for state in _fitted(search, donor)]
    origins = {
        SIBLING: lambda: _ranked(search, fitting, recipe.draft),
        DESCENT: lambda: _ranked(search, _moved(search), recipe.draft),
        EVOLUTION: lambda: _evolved(search, fitting, recipe, 2 * programs),
        RANDOM: lambda: _sampled(search, programs, recipe.draft),
    }
    taken: list[Candidate] = []
    found: dict[Origin, list[StateObject]] = {}
    for origin, count in recipe.programs.items():
        if count > 0:
            found[origin] = origins[origin]()
            taken += search.take(found[origin], min(count, programs - len(taken)), origin, lowered=True)
    if EVOLUTION in found and len(taken) < programs:
        found.setdefault(RANDOM, origins[RANDOM]())
    for origin, states in found.items():
        taken += search.take(states, programs - len(taken), origin, lowered=True)
    return taken


def expected_gain(search: TaskSearch, donor: TaskSearch) -> float:
    """By how much the family's model expects the donor's best schedules to raise the throughput of a sibling's best
    program; 0 where it expects nothing or knows too little."""
    states = [state for state in _fitted(search, donor) if str(state) not in search.seen]
    best = search.best(1)
    if not states or not best or not search.model.trusted:
        return 0.0
    scores = search.scores([*best, *states])
    if not scores[0] > 0:
        return 0.0
    return float(np.clip(scores[1:].max() / scores[0] - 1, 0, _MOST_GAIN))


def _fitted(search: TaskSearch, donor: Donor) -> list[StateObject]:
    """The donor's best schedules with tile sizes fitted to this task, best first."""
    states = []
    for name, steps in donor.donations(_DONATED):
        if (donor, name) not in search.fitted:
            search.fitted[donor, name] = _valid(search, fitted(steps, donor.stages, search.stages))
        states += search.fitted[donor, name]
    return states


def _moved(search: TaskSearch) -> list[StateObject]:
    """Programs one move of a tile size, an unrolling or a compute location from the best that has any left unseen."""
    for state in search.best(_MOVED_FROM):
        text = str(state)
        if text not in search.moved:
            unroll = UNROLL_CPU if on_cpu(search.task.target) else UNROLL_GPU
            search.moved[text] = _valid(search, neighbours(steps_of(search.task, state), search.stages, unroll))
        unseen = [moved for moved in search.moved[text] if str(moved) not in search.seen]
        if unseen:
            return unseen
    return []


def _evolved(search: TaskSearch, fitting: list[StateObject], recipe: Recipe, count: int) -> list[StateObject]:
    """Evolved from random programs, the best measured ones and the siblings' schedules."""
    policy = search.policy(recipe.population, recipe.generations)
    population = list(policy.sample_initial_population())
    best = search.best(int(search.settings.use_measured_ratio * recipe.population))
    start = [*population, *best, *fitting]
    return list(policy.evolutionary_search(start, count)) if start else []


def _sampled(search: TaskSearch, count: int, draft: bool) -> list[StateObject]:
    """Random programs; with `draft` from the better ones of many."""
    sample = list(search.policy(_SAMPLED * count, 0).sample_initial_population())
    if draft and sample:
        sample = _in_order(sample, _draft(search, sample))[: max(count, int(_DRAFT_KEEPS * len(sample)))]
    search.random.shuffle(sample)
    return sample


def _ranked(search: TaskSearch, states: list[StateObject], draft: bool) -> list[StateObject]:
    """The most promising first, as far as anything is known."""
    states = [state for state in states if str(state) not in search.seen]
    if states and search.model.trusted:
        return _in_order(states, search.scores(states))
    return _in_order(states, _draft(search, states)) if states and draft else states


def _in_order(states: list[StateObject], scores: np.ndarray) -> list[StateObject]:
    """By falling scores, without those TVM finds no features of: it cannot lower them, or no GPU could run them."""
    order = np.argsort(-scores, kind="stable")
    return [states[index] for index in order if scores[index] > -np.inf]


def _draft(search: TaskSearch, states: list[StateObject]) -> np.ndarray:
    task = search.task
    rows = features.of_states(states, task)
    return draft_scores(rows, features.columns(), task.target.kind.name, task.hardware_params.num_cores)


def _valid(search: TaskSearch, schedules: list[list]) -> list[StateObject]:
    states = (state_of(search.task, steps) for steps in schedules)
    return [state for state in states if state is not None]
