"""A family's cost model on MetaSchedule's schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..learning.cost_model import TrainingSettings


class CostModel:
    """One family's cost model, and what it was trained on (backend.py, `CostModel`)."""

    def __init__(
        self, name: str, kind: str, tasks: list[int], warm_up_records: int, seed: int, training: TrainingSettings
    ) -> None:
        raise NotImplementedError
