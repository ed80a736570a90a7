"""A sibling's schedule on another task: the sibling's decisions in the recipient's own designs.

A design has the instructions that TVM's rules make of the recipient, whatever blocks it has more or fewer than the
sibling; those that say the same as one of the sibling's decide as it does, with tile sizes that suit their extents.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from math import prod
from typing import TYPE_CHECKING, Any

from ..tiling import Rounding, above, below, fitted_lengths, nearest
from .traces import (
    CATEGORICAL,
    LOCATION,
    TILES,
    Data,
    body_data,
    data_of,
    decisions_of,
    parallel_of,
    signatures,
    with_parallel,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tvm.s_tir import Schedule, Trace

    from .context import Decide, Space

# A design that has less in common with a sibling's schedule is about something else.
_ALIKE = 0.5
# The root of the block, where nothing says better: TVM's own place before any loop.
_AT_ROOT = -1


def fitted(donor: Data, space: Space) -> list[Schedule]:
    """Programs of a task that a sibling's schedule becomes, in up to three variants: each tile size becomes the nearest
    fitting one, the nearest below, or the nearest above; [] where no design of the task is about the same."""
    body = body_data(donor)
    matched = _matched(body, space)
    if matched is None:
        return []
    design, sources = matched
    made = (space.made_by(design, _decided(body, sources, rounding)) for rounding in (nearest, below, above))
    return [program for program in made if program is not None]


def _matched(donor: Data, space: Space) -> tuple[Trace, Mapping[int, int]] | None:
    """The design that has most in common with a donor's schedule, with as many iterations in parallel, and of each of
    its instructions that has one the counterpart; None where none has one of each tiling."""
    theirs = signatures(donor)
    best: tuple[float, Trace, dict[int, int]] | None = None
    for trace in space.design_traces:
        data = data_of(trace)
        matcher = SequenceMatcher(None, theirs, signatures(data), autojunk=False)
        blocks = matcher.get_matching_blocks()
        sources = {block.b + i: block.a + i for block in blocks for i in range(block.size)}
        tiled = all(place in sources for place, each in enumerate(data[0]) if each[0] in TILES)
        ratio = matcher.ratio()
        if tiled and ratio >= _ALIKE and (best is None or ratio > best[0]):
            best = ratio, _as_parallel(trace, data, donor, sources), sources
    return best and best[1:]


def _as_parallel(trace: Trace, data: Data, donor: Data, sources: Mapping[int, int]) -> Trace:
    for place, source in sources.items():
        ours, theirs = parallel_of(data[0][place]), parallel_of(donor[0][source])
        if ours is not None and theirs is not None and ours != theirs:
            trace = with_parallel(trace, place, theirs)
    return trace


def _decided(donor: Data, sources: Mapping[int, int], rounding: Rounding) -> Decide:
    decisions = decisions_of(donor)

    def decide(place: int, schedule: Schedule, instruction: Any, inputs: Any) -> Any:
        kind = instruction.kind.name
        source = sources.get(place)
        decision = None if source is None else decisions.get(source)
        if kind in TILES and decision is not None:
            return _tiles(decision, schedule, instruction, inputs, rounding)
        if kind == CATEGORICAL:
            if source is None or decision is None:
                return _likeliest(instruction)
            return _nearest_choice(instruction, donor[0][source][2][0][decision])
        if kind == LOCATION:
            # TVM takes the place before it where it is none.
            return _AT_ROOT if decision is None else decision
        return decision

    return decide


def _tiles(lengths: list[int], schedule: Schedule, instruction: Any, inputs: Any, rounding: Rounding) -> list[int]:
    extent = int(schedule.get(inputs[0]).extent)
    most = int(instruction.attrs[1]) if instruction.kind.name == TILES[0] else -1
    inner = fitted_lengths(lengths[1:], extent, rounding, extent if most < 0 else most)
    return [extent // prod(inner), *inner]


def _likeliest(instruction: Any) -> int:
    likelihoods = [float(each) for each in instruction.attrs[1]]
    return likelihoods.index(max(likelihoods))


def _nearest_choice(instruction: Any, value: int) -> int:
    """The place of the value that is nearest, of the first of such."""
    away = [abs(int(each) - value) for each in instruction.attrs[0]]
    return away.index(min(away))
