"""TVM's features of programs, as the cost model and the draft take them (TVM: per_store_feature.cc)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from tvm.s_tir.meta_schedule.arg_info import ArgInfo
from tvm.s_tir.meta_schedule.feature_extractor import PerStoreFeature
from tvm.s_tir.meta_schedule.search_strategy import MeasureCandidate

from ..errors import last_line
from ..learning.store_features import NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tvm.s_tir import Schedule
    from tvm.s_tir.meta_schedule import TuneContext

    from ..learning.cost_model import Features

WIDTH = len(NAMES)


def of_programs(programs: Sequence[Schedule], context: TuneContext) -> list[Features]:
    """[stores, 164] of each program; all 0 where TVM cannot lower it."""
    if not programs:
        return []
    try:
        return _extracted(programs, context)
    except Exception:
        # One that cannot be lowered fails all.
        return [_alone(program, context) for program in programs]


def refusal(program: Schedule, context: TuneContext) -> str | None:
    """Why TVM cannot lower a program, in a line; None where it can."""
    try:
        _extracted([program], context)
    except Exception as error:
        return last_line(error)
    return None


def candidate(program: Schedule) -> MeasureCandidate:
    """A program as TVM's cost models take it."""
    return MeasureCandidate(program, ArgInfo.from_entry_func(program.mod, remove_preproc=True))


def _alone(program: Schedule, context: TuneContext) -> Features:
    try:
        return _extracted([program], context)[0]
    except Exception:
        return np.zeros((1, WIDTH), np.float32)


def _extracted(programs: Sequence[Schedule], context: TuneContext) -> list[Features]:
    # Features are of the module alone.
    found = _extractor().extract_from(context, [MeasureCandidate(program, []) for program in programs])
    rows = (each.numpy().astype(np.float32) for each in found)
    return [each if len(each) else np.zeros((1, WIDTH), np.float32) for each in rows]


@functools.cache
def _extractor() -> PerStoreFeature:
    return PerStoreFeature()
