"""The programs that differ from one in a single decision."""

from __future__ import annotations

from itertools import accumulate
from math import prod
from operator import mul
from typing import TYPE_CHECKING, Any

from ..tiling import moved_factors
from .traces import CATEGORICAL, LOCATION, TILES, body_of, data_of, decisions_of, parallel_of, with_parallel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tvm.s_tir import Schedule, Trace

    from .context import Decide, Space

# What a place of computation is in TVM's decisions before the first loop: in its consumers.
_INLINED = -2


def neighbours(program: Schedule, space: Space) -> Iterator[Schedule]:
    """All valid programs that differ in one decision, in a fixed order: a prime factor moved between two levels of a
    tiling, another choice, one loop in or out for where a block is computed, how many loops run in parallel."""
    trace = body_of(program.trace)
    data = data_of(trace)
    decisions = decisions_of(data)
    for place, instruction in enumerate(data[0]):
        for decision in _others(instruction, decisions.get(place)):
            yield from _made(space, trace, {**decisions, place: decision})
        parallel = parallel_of(instruction)
        if parallel is not None:
            for most in _parallel(space, program, parallel):
                yield from _made(space, with_parallel(trace, place, most), decisions)


def _made(space: Space, trace: Trace, decisions: dict[int, Any]) -> Iterator[Schedule]:
    decide: Decide = lambda place, _schedule, _instruction, _inputs: decisions.get(place)  # noqa: E731
    program = space.made_by(trace, decide)
    if program is not None:
        yield program


def _others(instruction: Sequence[Any], decision: Any) -> Iterator[Any]:
    """What else may be decided there."""
    kind, _, attributes, _ = instruction
    if decision is None:
        return
    if kind in TILES:
        most = attributes[1] if kind == TILES[0] and attributes[1] > 0 else prod(decision)
        yield from moved_factors(decision, max(most, decision[-1]))
    elif kind == CATEGORICAL:
        likelihoods = attributes[1]
        yield from (each for each in range(len(likelihoods)) if each != decision and likelihoods[each] > 0)
    elif kind == LOCATION:
        yield from (each for each in (decision - 1, decision + 1) if each >= _INLINED)


def _parallel(space: Space, program: Schedule, now: int) -> list[int]:
    """How many iterations may run in parallel at most: as many as each number of outer loops has."""
    schedule = space.unfinished(program)
    designed = [parallel_of(each) for trace in space.design_traces for each in data_of(trace)[0]]
    most = max([now, *(each for each in designed if each is not None)])
    found = set()
    for block in schedule.get_child_blocks(schedule.get_sblock("root")):
        extents = (int(schedule.get(loop).extent) for loop in schedule.get_loops(block))
        found |= {each for each in accumulate(extents, mul) if each <= most}
    return sorted(found - {now})
