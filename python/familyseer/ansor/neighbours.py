"""The schedules that differ from one in a single decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from ..tiling import MAX_INNERMOST, moved_factors
from .steps import PARALLEL, Replay, Stage, Step, Steps, distinct

# The values that TVM draws the unrolling from (TVM: sketch_policy_rules.cc, auto_unroll_configs_*).
UNROLL_CPU = (0, 16, 64, 512)
UNROLL_GPU = (0, 16, 64, 512, 1024)
_UNROLL = "auto_unroll_max_step$"
# Steps that change which stages there are, or that name a loop of another stage.
_RENUMBERING = ("CA", "CHR", "CHW", "RF")


def neighbours(steps: Steps, stages: Sequence[Stage], unroll: Sequence[int] = UNROLL_CPU) -> list[Steps]:
    """All schedules that differ in one decision, in a fixed order: a prime factor moved between two levels of a tile,
    the unrolling (`unroll` holds its values), where an untiled stage is computed, how many loops run in parallel."""
    replay = Replay(stages)
    found = [steps]
    for index, step in enumerate(steps):
        if step[0] == "SP":
            found += _tile_moves(steps, index, replay, stages)
        elif step[0] == "PR":
            found += _unroll_moves(steps, index, unroll)
        elif step[0] == "CA":
            found += _location_moves(steps, index, replay, stages)
        elif step[0] == "FU":
            found += _parallel_moves(steps, index, replay)
        replay.apply(step)
    return distinct(found)[1:]


def _tile_moves(steps: Steps, index: int, replay: Replay, stages: Sequence[Stage]) -> Iterator[Steps]:
    kind, stage, loop, recorded, lengths, inner_to_outer = steps[index]
    known = replay.loops[stage][loop].extent
    extent = known or recorded
    # Where no one knows the extent, the outermost level is taken to have a factor of two yet.
    levels = [-(-extent // prod(lengths)) if extent else 2, *lengths]
    for moved in moved_factors(levels, max(MAX_INNERMOST, lengths[-1])):
        changed = _replaced(steps, index, [kind, stage, loop, extent, moved[1:], inner_to_outer])
        yield _with_extents(changed, stages) if known else changed


def _unroll_moves(steps: Steps, index: int, values: Sequence[int]) -> Iterator[Steps]:
    pragma, stage, loop, text = steps[index]
    if text.startswith(_UNROLL):
        for value in values:
            yield _replaced(steps, index, [pragma, stage, loop, f"{_UNROLL}{value}"])


def _location_moves(steps: Steps, index: int, replay: Replay, stages: Sequence[Stage]) -> Iterator[Steps]:
    """One loop in or out, for a stage that no tiling binds to where it is; not into the innermost loop, a vector's."""
    kind, stage, target, loop = steps[index]
    key = replay.keys[stage]
    if key < 0 or len(replay.loops[stage]) != len(stages[key].extents):
        return
    for place in (loop - 1, loop + 1):
        if 0 <= place < len(replay.loops[target]) - 1:
            yield _replaced(steps, index, [kind, stage, target, place])


def _parallel_moves(steps: Steps, index: int, replay: Replay) -> Iterator[Steps]:
    """One loop more or fewer among the outermost that are fused to run in parallel (TVM: MutateParallel)."""
    kind, stage, fused = steps[index]
    after = steps[index + 1 :]
    of_stage = [step for step in after if step[1] == stage]
    if not fused or fused[0] != 0 or after[:1] != [["AN", stage, 0, PARALLEL]]:
        return
    if any(step[0] not in ("AN", "PR") for step in of_stage) or any(step[0] in _RENUMBERING for step in after):
        return
    for count in (len(fused) - 1, len(fused) + 1):
        loops, shift = replay.loops[stage][:count], len(fused) - count
        swallowed = any(0 < step[2] <= -shift for step in of_stage)
        if len(loops) == count > 0 and not swallowed and not any(loop.reduction for loop in loops):
            rest = [_shifted(step, shift) if step[1] == stage else step for step in after]
            yield [*steps[:index], [kind, stage, list(range(count))], *rest]


def _shifted(step: Step, by: int) -> Step:
    """An annotation or pragma of a loop after outer ones were fused or unfused; the outermost keeps its own."""
    return step if step[2] == 0 else [*step[:2], step[2] + by, *step[3:]]


def _with_extents(steps: Steps, stages: Sequence[Stage]) -> Steps:
    """Steps whose splits say the extents they meet, 0 where that depends on what other stages need."""
    replay, made = Replay(stages), []
    for step in steps:
        loop = replay.loops[step[1]][step[2]] if step[0] == "SP" else None
        made.append([*step[:3], loop.extent, *step[4:]] if loop else step)
        replay.apply(step)
    return made


def _replaced(steps: Steps, index: int, step: Step) -> Steps:
    return [*steps[:index], step, *steps[index + 1 :]]
