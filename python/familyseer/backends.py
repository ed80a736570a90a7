"""The tuners there are. This alone, outside a tuner's own folder, names one."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .backend import Backend


def default_backend() -> Backend:
    """The tuner that this Python's TVM has: the auto-scheduler up to TVM 0.19, MetaSchedule from 0.26 on."""
    if importlib.util.find_spec("tvm.auto_scheduler") is None:
        from .metaschedule.backend import MetaSchedule

        return MetaSchedule()
    from .ansor.backend import Ansor

    return Ansor()
