"""A task of MetaSchedule's, as the rest of the worker knows tasks (backend.py); its programs are TVM's schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .target import MetaTarget
    from .tasks import ExtractedTask


class MetaTask:
    """An extracted task, and its place among a network's (backend.py, `Task`). A program is a `tvm.s_tir.Schedule`."""

    def __init__(self, number: int, extracted: ExtractedTask, target: MetaTarget) -> None:
        self.number = number
        self.extracted = extracted
        self.target = target
