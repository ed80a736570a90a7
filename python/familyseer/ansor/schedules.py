"""Schedules as data: a program's transform steps fitted to another task, and moved by one decision.

Steps are TVM's, as its records spell them, and are replayed here only as far as stages and the extents of their loops
go (TVM: src/auto_scheduler/transform_step.cc, WriteToRecord and ApplyToState). Whether a program is valid is TVM's to
say: `state_of`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any, Callable

import tvm
from tvm.auto_scheduler import MeasureInput, MeasureResult
from tvm.auto_scheduler.measure_record import dump_record_to_string, load_record_from_string

if TYPE_CHECKING:
    from tvm.auto_scheduler import ComputeDAG, SearchTask
    from tvm.auto_scheduler.loop_state import StateObject

Step = list[Any]
Steps = list[Step]
Lengths = Sequence[int]

# The values that TVM draws the unrolling from (TVM: sketch_policy_rules.cc, auto_unroll_configs_*).
UNROLL_CPU = (0, 16, 64, 512)
UNROLL_GPU = (0, 16, 64, 512, 1024)
# How long an innermost tile, and with it a vector, may get: TVM's max_innermost_split_factor.
MAX_INNERMOST = 64
_UNROLL = "auto_unroll_max_step$"
# By auto_scheduler.loop_state.ANNOTATION_TRANS_TABLE.
_VECTORIZE, _PARALLEL, _THREAD_X = 2, 3, 6
# Steps that change which stages there are, or that name a loop of another stage.
_RENUMBERING = ("CA", "CHR", "CHW", "RF")


@dataclass(frozen=True)
class Stage:
    """An operation of a compute DAG. `extents` are those of its spatial axes, then of its reduction axes; 0 where the
    extent is not a number. A placeholder's are its shape."""

    name: str
    placeholder: bool
    extents: tuple[int, ...]
    spatial: int


@dataclass(frozen=True)
class _Loop:
    extent: int
    reduction: bool


def stages_of(dag: ComputeDAG) -> tuple[Stage, ...]:
    """The stages of a DAG before any step, in the order that steps number them."""
    return tuple(_stage(operation) for operation in dag.ops)


def steps_of(task: SearchTask, state: StateObject) -> Steps:
    """The steps of a program of a task."""
    record = dump_record_to_string(MeasureInput(task, state), MeasureResult([0.0], 0, "", 0.0, 0.0))
    steps: Steps = json.loads(record)["i"][1][1]
    return steps


def state_of(task: SearchTask, steps: Steps) -> StateObject | None:
    """The program that steps make of a task, with the extents of its loops; None where TVM rejects them."""
    # A record's own task is not looked at, so it is as short as TVM can read: parsing a target takes time.
    record = json.dumps({"i": [["", "c"], [[], steps]]})
    try:
        state = load_record_from_string(record)[0].state
        return task.compute_dag.infer_bound_from_state(state).state_object
    except tvm.TVMError:
        return None


def fitted(steps: Steps, donor: Sequence[Stage], recipient: Sequence[Stage]) -> list[Steps]:
    """A donor's schedule on a recipient's DAG, in up to three variants: each tile size becomes the nearest fitting one,
    the nearest below, or the nearest above; [] where a stage that the schedule is about has no counterpart."""
    counterparts = _counterparts(donor, recipient)
    if counterparts is None:
        return []
    variants = (_translated(steps, donor, recipient, counterparts, rounding) for rounding in (_nearest, _below, _above))
    return _distinct(variant for variant in variants if variant is not None)


def neighbours(steps: Steps, stages: Sequence[Stage], unroll: Sequence[int] = UNROLL_CPU) -> list[Steps]:
    """All schedules that differ in one decision, in a fixed order: a prime factor moved between two levels of a tile,
    the unrolling (`unroll` holds its values), where an untiled stage is computed, how many loops run in parallel."""
    replay = _Replay(stages)
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
    return _distinct(found)[1:]


def meets_extents(steps: Steps, stages: Sequence[Stage]) -> bool:
    """Whether the loops that steps split have, in a DAG, the extents that the steps say they had, as far as both are
    known."""
    replay = _Replay(stages)
    try:
        for step in steps:
            known = replay.loops[step[1]][step[2]].extent if step[0] == "SP" else 0
            if known and step[3] and known != step[3]:
                return False
            replay.apply(step)
    except (IndexError, TypeError, ValueError):
        return False
    return True


def reduces_across_threads(steps: Steps, stages: Sequence[Stage]) -> bool:
    """Whether a reduction's loop is bound to a GPU's threads (TVM: RuleCrossThreadReduction)."""
    replay = _Replay(stages)
    for step in steps:
        if step[0] == "AN" and step[3] == _THREAD_X and replay.loops[step[1]][step[2]].reduction:
            return True
        replay.apply(step)
    return False


class _Replay:
    """Which stages there are, and with which loops, while steps are applied.

    `keys` names the stages by something that stays while their numbers shift: the number in the DAG, and negative
    numbers for stages that steps inserted, in the order they did. An extent that TVM would not know is 0.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.keys = list(range(len(stages)))
        self.loops = [[_Loop(extent, i >= stage.spatial) for i, extent in enumerate(stage.extents)] for stage in stages]
        self._steps: Steps = []

    def apply(self, step: Step) -> None:
        kind, stage, rest = step[0], step[1], step[2:]
        loops = self.loops[stage]
        if kind == "SP":
            self._split(stage, rest[0], rest[2], rest[3])
        elif kind == "FSP":
            lengths, parts = self._steps[rest[1]][4], rest[2]
            self._split(stage, rest[0], [*lengths[: parts - 1], prod(lengths[parts - 1 :])], True)
        elif kind == "FFSP":
            self._split(stage, rest[0], [prod(self._steps[i][4][rest[2]] for i in rest[1])], rest[3])
        elif kind == "FU":
            first, fused = (rest[0] or [0])[0], [loops[i] for i in rest[0]]
            loop = _Loop(prod(each.extent for each in fused), any(each.reduction for each in fused))
            loops[first : first + len(fused)] = [loop]
        elif kind == "RE":
            loops[:] = [loops[i] for i in rest[0]]
        elif kind in ("CA", "CR"):
            loops[:] = [_Loop(0, each.reduction) for each in loops]
        elif kind == "CHR":
            self._insert(stage + 1, [each for each in loops if not each.reduction])
        elif kind == "CHW":
            self._insert(stage, list(loops))
            loops[:] = [each for each in loops if not each.reduction]
        elif kind == "RF":
            self._factor(stage, *rest)
        self._steps.append(step)

    def _split(self, stage: int, loop: int, lengths: Lengths, inner_to_outer: bool) -> None:
        split = self.loops[stage][loop]
        extent, parts = split.extent, []
        for length in reversed(lengths) if inner_to_outer else lengths:
            parts.append(length if extent else 0)
            extent = -(-extent // length)
        parts.append(extent)
        made = [_Loop(each, split.reduction) for each in (reversed(parts) if inner_to_outer else parts)]
        self.loops[stage][loop : loop + 1] = made

    def _insert(self, stage: int, loops: list[_Loop]) -> None:
        self.keys.insert(stage, min([0, *self.keys]) - 1)
        self.loops.insert(stage, loops)

    def _factor(self, stage: int, loop: int, position: int) -> None:
        """A reduction in two: a new stage with the factored loop among its spatial ones, then one over that loop."""
        loops = self.loops[stage]
        spatial = [each for each in loops if not each.reduction]
        others = [each for i, each in enumerate(loops) if each.reduction and i != loop]
        factor = loops[loop].extent
        self.loops[stage] = [*spatial, _Loop(factor, True)]
        self._insert(stage, [*spatial[:position], _Loop(factor, False), *spatial[position:], *others])


def _stage(operation: Any) -> Stage:
    if not hasattr(operation, "body"):
        shape = tuple(_number(extent) for extent in operation.output(0).shape)
        return Stage(operation.name, True, shape, len(shape))
    axes = [*operation.axis, *operation.reduce_axis]
    return Stage(operation.name, False, tuple(_number(axis.dom.extent) for axis in axes), len(operation.axis))


def _number(extent: Any) -> int:
    return int(extent) if hasattr(extent, "value") else 0


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
    rounding: Callable[[Sequence[int], int], int],
) -> Steps | None:
    """The steps on the recipient's DAG; None where they are about a stage that has no counterpart."""
    alone = set(range(len(recipient))) - set(counterparts.values())
    inlined = [i for i in sorted(alone, reverse=True) if not recipient[i].placeholder]
    if any(recipient[i].spatial < len(recipient[i].extents) for i in inlined):
        return None
    missing = {i for i, stage in enumerate(donor) if i not in counterparts and not stage.placeholder}
    theirs, ours = _Replay(donor), _Replay(recipient)
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


def _refitted(step: Step, replay: _Replay, rounding: Callable[[Sequence[int], int], int]) -> Step | None:
    """A step that suits the extents it meets; None for what would make a vector that is too long."""
    if step[0] == "SP":
        kind, stage, loop, extent, lengths, inner_to_outer = step
        fresh = replay.loops[stage][loop].extent
        return [kind, stage, loop, fresh, _fitted_lengths(lengths, extent, fresh, rounding), inner_to_outer]
    if step[0] == "AN" and step[3] == _VECTORIZE and replay.loops[step[1]][step[2]].extent > MAX_INNERMOST:
        return None
    return step


def _fitted_lengths(
    lengths: Lengths, extent: int, fresh: int, rounding: Callable[[Sequence[int], int], int]
) -> list[int]:
    """Tile sizes near others that divide another extent: the innermost, which matters most, has its choice first."""
    if not fresh or (extent and extent % prod(lengths)):
        # What was no divisor is a number of threads, which fits any extent.
        return list(lengths)
    made: list[int] = []
    for length in reversed(lengths):
        options = [each for each in _divisors(fresh) if made or each <= MAX_INNERMOST]
        made.insert(0, rounding(options, length))
        fresh //= made[0]
    return made


def _nearest(options: Sequence[int], length: int) -> int:
    return min(options, key=lambda option: (max(option, length) / min(option, length), option))


def _below(options: Sequence[int], length: int) -> int:
    return max(option for option in options if option <= length)


def _above(options: Sequence[int], length: int) -> int:
    return min((option for option in options if option >= length), default=max(options))


def _tile_moves(steps: Steps, index: int, replay: _Replay, stages: Sequence[Stage]) -> Iterator[Steps]:
    kind, stage, loop, recorded, lengths, inner_to_outer = steps[index]
    known = replay.loops[stage][loop].extent
    extent = known or recorded
    # Where no one knows the extent, the outermost level is taken to have a factor of two yet.
    levels = [-(-extent // prod(lengths)) if extent else 2, *lengths]
    for source, length in enumerate(levels):
        for prime in _primes(length):
            for target in range(len(levels)):
                moved = list(levels)
                moved[source] //= prime
                moved[target] *= prime
                if target != source and moved[-1] <= max(MAX_INNERMOST, lengths[-1]):
                    step = [kind, stage, loop, extent, moved[1:], inner_to_outer]
                    changed = _replaced(steps, index, step)
                    yield _with_extents(changed, stages) if known else changed


def _unroll_moves(steps: Steps, index: int, values: Sequence[int]) -> Iterator[Steps]:
    pragma, stage, loop, text = steps[index]
    if text.startswith(_UNROLL):
        for value in values:
            yield _replaced(steps, index, [pragma, stage, loop, f"{_UNROLL}{value}"])


def _location_moves(steps: Steps, index: int, replay: _Replay, stages: Sequence[Stage]) -> Iterator[Steps]:
    """One loop in or out, for a stage that no tiling binds to where it is; not into the innermost loop, a vector's."""
    kind, stage, target, loop = steps[index]
    key = replay.keys[stage]
    if key < 0 or len(replay.loops[stage]) != len(stages[key].extents):
        return
    for place in (loop - 1, loop + 1):
        if 0 <= place < len(replay.loops[target]) - 1:
            yield _replaced(steps, index, [kind, stage, target, place])


def _parallel_moves(steps: Steps, index: int, replay: _Replay) -> Iterator[Steps]:
    """One loop more or fewer among the outermost that are fused to run in parallel (TVM: MutateParallel)."""
    kind, stage, fused = steps[index]
    after = steps[index + 1 :]
    of_stage = [step for step in after if step[1] == stage]
    if not fused or fused[0] != 0 or after[:1] != [["AN", stage, 0, _PARALLEL]]:
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
    replay, made = _Replay(stages), []
    for step in steps:
        loop = replay.loops[step[1]][step[2]] if step[0] == "SP" else None
        made.append([*step[:3], loop.extent, *step[4:]] if loop else step)
        replay.apply(step)
    return made


def _replaced(steps: Steps, index: int, step: Step) -> Steps:
    return [*steps[:index], step, *steps[index + 1 :]]


def _distinct(programs: Iterator[Steps] | list[Steps]) -> list[Steps]:
    return list({json.dumps(steps): steps for steps in programs}.values())


@cache
def _divisors(number: int) -> tuple[int, ...]:
    return tuple(each for each in range(1, number + 1) if number % each == 0)


@cache
def _primes(number: int) -> tuple[int, ...]:
    """The distinct prime factors."""
    return tuple(each for each in _divisors(number) if len(_divisors(each)) == 2)
