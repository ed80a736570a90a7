"""Traces as data: the instructions and decisions that make a program of a task (TVM: src/s_tir/schedule/trace.cc).

An instruction is `[kind, inputs, attributes, outputs]`, a decision `[the instruction's place, what was decided]`.
Whether a program is valid is TVM's to say: context.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import fastjsonschema
from tvm.s_tir import Trace
from tvm.s_tir.schedule import Instruction
from tvm.tirx import FloatImm, IntImm

POSTPROCESSING = "EnterPostproc"
TILES = ("SamplePerfectTile", "SamplePartitionedTile")
CATEGORICAL = "SampleCategorical"
LOCATION = "SampleComputeLocation"
# How many iterations at most run in parallel (TVM: rewrite_parallel_vectorize_unroll.cc).
PARALLEL = "meta_schedule.parallel"
# TVM's integers that count.
_MOST_PARALLEL = 2**31 - 1

Data = list[Any]
_is_trace = fastjsonschema.compile(
    {
        "type": "array",
        "minItems": 2,
        "maxItems": 2,
        "items": [
            {
                "type": "array",
                "items": {
                    "type": "array",
                    "minItems": 4,
                    "maxItems": 4,
                    "items": [
                        {"type": "string"},
                        {"type": "array"},
                        {"type": "array"},
                        {"type": "array", "items": {"type": "string"}},
                    ],
                },
            },
            {"type": "array", "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": [{"type": "integer"}]}},
        ],
    }
)
# Instructions whose first attribute says what they are about.
_NAMED = ("GetSBlock", "Annotate", "Unannotate", CATEGORICAL, *TILES)
# What TVM appends to a block's name when there are two.
_SERIAL = re.compile(r"(_\d+)+$")


def data_of(trace: Trace) -> Data:
    """A trace as data of JSON: its instructions, and its decisions."""
    made: Data = plain(trace.as_json())
    return made


def check(data: Any) -> None:
    """Raises ValueError for what is no trace: anyone may have written it, and some of it would end the process."""
    _is_trace(data)
    instructions, decisions = data
    for kind, inputs, attributes, outputs in instructions:
        # What pads a transformed layout may be nothing.
        named = [*attributes[:2], *attributes[3:]] if kind == "TransformLayout" else attributes
        if _has_null([inputs, named, outputs]):
            raise ValueError(f"the instruction {kind} has null where TVM expects something")
    if not all(attributes for kind, _, attributes, _ in instructions if kind in _NAMED):
        raise ValueError("an instruction does not say what it is about")
    for place, decision in decisions:
        # To a schema 1.0 is a whole number, too.
        known = isinstance(place, int) and 0 <= place < len(instructions)
        kind, _, attributes, _ = instructions[place] if known else ("", [], [], [])
        if kind in TILES:
            valid = isinstance(decision, list) and all(isinstance(each, int) and each > 0 for each in decision)
        elif kind == CATEGORICAL:
            choices = attributes[0] if isinstance(attributes[0], list) else []
            valid = isinstance(decision, int) and 0 <= decision < len(choices)
        else:
            valid = kind == LOCATION and isinstance(decision, int)
        if not valid:
            raise ValueError(f"there is a decision that the instruction {kind or place} does not take")


def _has_null(value: Any) -> bool:
    """At any depth, which may be one that functions cannot call each other to."""
    left = [value]
    while left:
        each = left.pop()
        if each is None:
            return True
        left += each if isinstance(each, list) else each.values() if isinstance(each, dict) else ()
    return False


def body_of(trace: Trace) -> Trace:
    """A trace without postprocessing."""
    instructions = list(trace.insts)
    names = [instruction.kind.name for instruction in instructions]
    end = names.index(POSTPROCESSING) if POSTPROCESSING in names else len(names)
    kept = instructions[:end]
    return Trace(kept, {each: trace.decisions[each] for each in kept if each in trace.decisions})


def body_data(data: Data) -> Data:
    """`body_of`, of data."""
    instructions, decisions = data
    end = next((place for place, each in enumerate(instructions) if each[0] == POSTPROCESSING), len(instructions))
    return [instructions[:end], [each for each in decisions if each[0] < end]]


def decisions_of(data: Data) -> dict[int, Any]:
    """What was decided, by the instruction's place."""
    return {int(place): decision for place, decision in data[1]}


def parallel_of(instruction: Any) -> int | None:
    """How many iterations at most an instruction, as data, lets run in parallel; None for any other instruction."""
    kind, inputs, attributes, _ = instruction
    if kind != "Annotate" or list(attributes)[:1] != [PARALLEL] or len(inputs) < 2:
        return None
    most = inputs[1]
    return most if isinstance(most, int) and 0 < most <= _MOST_PARALLEL else None


def with_parallel(trace: Trace, place: int, most: int) -> Trace:
    """A trace whose annotation at a place lets other many iterations run in parallel."""
    instructions = list(trace.insts)
    old = instructions[place]
    instructions[place] = Instruction(old.kind, [old.inputs[0], most], list(old.attrs), list(old.outputs))
    return Trace(instructions, dict(trace.decisions.items()))


def signatures(data: Data) -> list[tuple[Any, ...]]:
    """What each instruction is about, without the numbers: what two traces of one structure have in common."""
    about: dict[str, str] = {}
    made = []
    for kind, inputs, attributes, outputs in data[0]:
        subject = next((about[each] for each in inputs if isinstance(each, str) and each in about), "")
        detail = ""
        if kind == "GetSBlock":
            detail = subject = _SERIAL.sub("", str(attributes[0]))
        elif kind in _NAMED and kind != CATEGORICAL:
            detail = str(attributes[0])
        made.append((kind, subject, detail))
        for place, output in enumerate(outputs):
            about[output] = f"{subject} {kind} {place}"
    return made


def plain(value: Any) -> Any:
    """Data of TVM's as JSON has it."""
    if isinstance(value, (IntImm, FloatImm)):
        return value.value
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "items"):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) or hasattr(value, "__iter__"):
        return [plain(each) for each in value]
    raise TypeError(f"There is a {type(value).__name__}, which is no data of JSON.")
