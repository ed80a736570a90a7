"""What takes the place of TVM's task schedulers in the user's own process: patched TVM trees import it from here.

`task_scheduler` and `user_process` know TVM's auto-scheduler; `metaschedule`, `metaschedule_process`, `sized_rounds`
and `family_model` know MetaSchedule. What both need is in `orchestrated`, `orchestrator` and `rounds`.
"""

from __future__ import annotations

from typing import Any

__all__ = ["TuningSettings", "drive"]


def __getattr__(name: str) -> Any:
    # By name: a TVM that has MetaSchedule alone lacks what these import.
    if name in __all__:
        from . import user_process

        return getattr(user_process, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
