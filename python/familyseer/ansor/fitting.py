"""A sibling's schedule on another task: the same steps, with tile sizes that suit the other's extents.

What comes of it may be no valid program; that is TVM's to say (`steps.state_of`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from math import prod
from typing import Callable

from ..tiling import MAX_INNERMOST, Lengths, Rounding, above, below, fitted_lengths, nearest
from .steps import VECTORIZE, Replay, Stage, Step, Steps, distinct


def fitted(steps: Steps, donor: Sequence[Stage], recipient: Sequence[Stage]) -> list[Steps]:
    """A donor's schedule on a recipient's DAG, in up to three variants: each tile size becomes the nearest fitting one,
    the nearest below, or the nearest above; [] where a stage that the schedule is about has no counterpart."""
    if _reduces(recipient[-1]) and not _reduces(donor[-1]):
        if not _fuses(steps, donor):
            return []
        cached = fitted(steps, donor, _with_cache(recipient))
        return [[_cache_write(recipient), *_shifted(each, 1)] for each in cached]
    if _reduces(donor[-1]) and not _reduces(recipient[-1]):
        if not steps or steps[0][:2] != _cache_write(donor)[:2]:
            return []
        return fitted(_shifted(steps[1:], -1), _with_cache(donor), recipient)
    counterparts = _counterparts(donor, recipient)
    if counterparts is None:
        return []
    variants = (_translated(steps, donor, recipient, counterparts, rounding) for rounding in (nearest, below, above))
    return distinct(variant for variant in variants if variant is not None)


def _reduces(stage: Stage) -> bool:
    return stage.spatial < len(stage.extents)


def _cache_write(stages: Sequence[Stage]) -> Step:
    """What TVM does first of all with an output that reduces, to fuse its tiles as it does with one that is computed
    from what reduces (TVM: RuleAddCacheWrite)."""
    return ["CHW", len(stages) - 1, "local"]


def _with_cache(stages: Sequence[Stage]) -> list[Stage]:
    """The stages after that: the output is a stage after the one that reduces."""
    last = stages[-1]
    return [*stages, Stage(f"{last.name} output", False, last.extents[: last.spatial], last.spatial)]


def _shifted(steps: Steps, by: int) -> Steps:
    """Steps before which there are more or fewer others: theirs have other numbers."""
    made: Steps = []
    for step in steps:
        if step[0] == "FSP":
            made.append([*step[:3], step[3] + by, *step[4:]])
        elif step[0] == "FFSP":
            made.append([*step[:3], [source + by for source in step[3]], *step[4:]])
        else:
            made.append(step)
    return made


def _fuses(steps: Steps, stages: Sequence[Stage]) -> bool:
    """Whether a stage that reduces is computed at the output, within its tiles."""
    replay = Replay(stages)
    for step in steps:
        if step[0] == "CA":
            stage, output = replay.keys[step[1]], replay.keys[step[2]]
            if stage >= 0 and _reduces(stages[stage]) and output == len(stages) - 1:
                return True
        replay.apply(step)
    return False


def _counterparts(donor: Sequence[Stage], recipient: Sequence[Stage]) -> dict[int, int] | None:
    """The recipient's stage for each of the donor's that has one; None where the DAGs compute something else.

    DAGs of one structure map one to one. Otherwise the outputs map, and the rest by name, in order."""
    if [_structure(stage) for stage in donor] == [_structure(stage) for stage in recipient]:
        return {i: i for i in range(len(donor))}
    if _structure(donor[-1]) != _structure(recipient[-1]):
        return None
    theirs, ours = ([(stage.name, _structure(stage)) for stage in stages[:-1]] for stages in (donor, recipient))
    blocks = SequenceMatcher(None, theirs, ours, autojunk=False).get_matching_blocks()
    pairs = {block.a + i: block.b + i for block in blocks for i in range(block.size)}
    return {**pairs, len(donor) - 1: len(recipient) - 1}


def _structure(stage: Stage) -> tuple[bool, int, int]:
    return stage.placeholder, stage.spatial, len(stage.extents)


def _translated(
    steps: Steps,
    donor: Sequence[Stage],
    recipient: Sequence[Stage],
    counterparts: Mapping[int, int],
    rounding: Rounding,
) -> Steps | None:
    """The steps on the recipient's DAG; None where they are about a stage that has no counterpart."""
    alone = set(range(len(recipient))) - set(counterparts.values())
    inlined = [i for i in sorted(alone, reverse=True) if not recipient[i].placeholder]
    if any(recipient[i].spatial < len(recipient[i].extents) for i in inlined):
        return None
    missing = {i for i, stage in enumerate(donor) if i not in counterparts and not stage.placeholder}
    theirs, ours = Replay(donor), Replay(recipient)
    made: Steps = []
    numbers: dict[int, int] = {}

    def add(step: Step) -> None:
        ours.apply(step)
        made.append(step)

    def renumbered(stage: int) -> int:
        key = theirs.keys[stage]
        return ours.keys.index(key if key < 0 else counterparts[key])

    for stage in inlined:
        add(["CI", stage])
    for index, step in enumerate(steps):
        if theirs.keys[step[1]] in missing and step[0] == "CI":
            missing.discard(theirs.keys[step[1]])
        else:
            try:
                moved = _renumbered(step, renumbered, numbers)
            except KeyError:
                return None
            refitted = _refitted(moved, ours, rounding)
            if refitted is not None:
                numbers[index] = len(made)
                add(refitted)
        theirs.apply(step)
    return None if missing else made


def _renumbered(step: Step, stage: Callable[[int], int], numbers: Mapping[int, int]) -> Step:
    """A step with the numbers that stages and earlier steps have in another program."""
    kind, rest = step[0], list(step[2:])
    if kind == "CA":
        rest[0] = stage(rest[0])
    elif kind == "CHR":
        rest[1] = [stage(reader) for reader in rest[1]]
    elif kind == "FSP":
        rest[1] = numbers[rest[1]]
    elif kind == "FFSP":
        rest[1] = [numbers[source] for source in rest[1]]
    return [kind, stage(step[1]), *rest]


def _refitted(step: Step, replay: Replay, rounding: Rounding) -> Step | None:
    """A step that suits the extents it meets; None for what would make a vector that is too long."""
    if step[0] == "SP":
        kind, stage, loop, extent, lengths, inner_to_outer = step
        fresh = replay.loops[stage][loop].extent
        return [kind, stage, loop, fresh, _fitted_lengths(lengths, extent, fresh, rounding), inner_to_outer]
    if step[0] == "AN" and step[3] == VECTORIZE and replay.loops[step[1]][step[2]].extent > MAX_INNERMOST:
        return None
    return step


def _fitted_lengths(lengths: Lengths, extent: int, fresh: int, rounding: Rounding) -> list[int]:
    """Tile sizes near others that divide another extent."""
    if not fresh or (extent and extent % prod(lengths)):
        # What was no divisor is a number of threads, which fits any extent.
        return list(lengths)
    return fitted_lengths(lengths, fresh, rounding)
