"""The least time a task can take on this machine, from what it must compute and move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .target import MetaTarget
    from .tasks import ExtractedTask


def least_seconds(tasks: Sequence[ExtractedTask], target: MetaTarget, threads: int | None) -> list[float] | None:
    """The times below which no program of each task can get [tasks]; None where programs run elsewhere."""
    raise NotImplementedError
