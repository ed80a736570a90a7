"""Schedules as data: the steps that make a program of a task.

Steps are TVM's, as its records spell them, and are replayed here only as far as stages and the extents of their loops
go (TVM: src/auto_scheduler/transform_step.cc, WriteToRecord and ApplyToState). Whether a program is valid is TVM's to
say: `state_of`. Fitted to another task they are in fitting.py, moved by one decision in neighbours.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import tvm
from tvm.auto_scheduler import MeasureInput, MeasureResult
from tvm.auto_scheduler.measure_record import dump_record_to_string, load_record_from_string

from ..tiling import Lengths

if TYPE_CHECKING:
    from tvm.auto_scheduler import ComputeDAG, SearchTask
    from tvm.auto_scheduler.loop_state import StateObject

Step = list[Any]
Steps = list[Step]

# By auto_scheduler.loop_state.ANNOTATION_TRANS_TABLE.
VECTORIZE, PARALLEL, THREAD_X = 2, 3, 6


@dataclass(frozen=True)
class Stage:
    """An operation of a compute DAG. `extents` are those of its spatial axes, then of its reduction axes; 0 where the
    extent is not a number. A placeholder's are its shape."""

    name: str
    placeholder: bool
    extents: tuple[int, ...]
    spatial: int


@dataclass(frozen=True)
class Loop:
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


def meets_extents(steps: Steps, stages: Sequence[Stage]) -> bool:
    """Whether the loops that steps split have, in a DAG, the extents that the steps say they had, as far as both are
    known."""
    replay = Replay(stages)
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
    replay = Replay(stages)
    for step in steps:
        if step[0] == "AN" and step[3] == THREAD_X and replay.loops[step[1]][step[2]].reduction:
            return True
        replay.apply(step)
    return False


class Replay:
    """Which stages there are, and with which loops, while steps are applied.

    `keys` names the stages by something that stays while their numbers shift: the number in the DAG, and negative
    numbers for stages that steps inserted, in the order they did. An extent that TVM would not know is 0.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.keys = list(range(len(stages)))
        self.loops = [[Loop(extent, i >= stage.spatial) for i, extent in enumerate(stage.extents)] for stage in stages]
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
            loop = Loop(prod(each.extent for each in fused), any(each.reduction for each in fused))
            loops[first : first + len(fused)] = [loop]
        elif kind == "RE":
            loops[:] = [loops[i] for i in rest[0]]
        elif kind in ("CA", "CR"):
            loops[:] = [Loop(0, each.reduction) for each in loops]
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
        made = [Loop(each, split.reduction) for each in (reversed(parts) if inner_to_outer else parts)]
        self.loops[stage][loop : loop + 1] = made

    def _insert(self, stage: int, loops: list[Loop]) -> None:
        self.keys.insert(stage, min([0, *self.keys]) - 1)
        self.loops.insert(stage, loops)

    def _factor(self, stage: int, loop: int, position: int) -> None:
        """A reduction in two: a new stage with the factored loop among its spatial ones, then one over that loop."""
        loops = self.loops[stage]
        spatial = [each for each in loops if not each.reduction]
        others = [each for i, each in enumerate(loops) if each.reduction and i != loop]
        factor = loops[loop].extent
        self.loops[stage] = [*spatial, Loop(factor, True)]
        self._insert(stage, [*spatial[:position], Loop(factor, False), *spatial[position:], *others])


def distinct(programs: Iterable[Steps]) -> list[Steps]:
    return list({json.dumps(steps): steps for steps in programs}.values())


def _stage(operation: Any) -> Stage:
    if not hasattr(operation, "body"):
        shape = tuple(_number(extent) for extent in operation.output(0).shape)
        return Stage(operation.name, True, shape, len(shape))
    axes = [*operation.axis, *operation.reduce_axis]
    return Stage(operation.name, False, tuple(_number(axis.dom.extent) for axis in axes), len(operation.axis))


def _number(extent: Any) -> int:
    return int(extent) if hasattr(extent, "value") else 0
