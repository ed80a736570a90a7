"""TVM's features of programs, as the cost model and the draft take them (TVM: src/auto_scheduler/feature.cc)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from tvm.auto_scheduler.feature import (
    get_per_store_feature_names,
    get_per_store_features_from_measure_pairs,
    get_per_store_features_from_states,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tvm.auto_scheduler import MeasureInput, MeasureResult, SearchTask
    from tvm.auto_scheduler.loop_state import StateObject

    from ..learning.cost_model import Features


def of_states(states: Sequence[StateObject], task: SearchTask) -> list[Features]:
    """[stores, 164] of each program; all 0 where TVM cannot lower it."""
    return [np.asarray(rows, dtype=np.float32) for rows in get_per_store_features_from_states(states, task)]


def of_records(inputs: Sequence[MeasureInput], results: Sequence[MeasureResult]) -> list[Features]:
    """[stores, 164] of each program."""
    found = get_per_store_features_from_measure_pairs(inputs, results)[0]
    return [np.asarray(rows, dtype=np.float32) for rows in found]


@functools.cache
def columns() -> dict[str, int]:
    """The column of each feature, by TVM's name."""
    return {name: index for index, name in enumerate(get_per_store_feature_names())}
