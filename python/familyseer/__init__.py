"""FamilySeer for TVM: the drop-in TaskScheduler, and the worker of the TypeScript orchestrator."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["PrintTableInfo", "TaskScheduler", "install", "mend_dense", "uninstall"]


def __getattr__(name: str) -> Any:
    # The worker names what is missing before anything imports TVM; this package must not.
    if name in ("PrintTableInfo", "TaskScheduler"):
        from .drop_in import task_scheduler

        return getattr(task_scheduler, name)
    if name == "mend_dense":
        from .ansor import dense

        return dense.mend_dense
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def install() -> None:
    """Puts our TaskScheduler in place of TVM's, for code that cannot be edited.

    Code that took `TaskScheduler` out of TVM before keeps the one it took.
    """
    from .drop_in import task_scheduler

    _replace(task_scheduler.TaskScheduler)


def uninstall() -> None:
    """Puts TVM's own TaskScheduler back."""
    from .drop_in import task_scheduler

    _replace(task_scheduler.TVM_TASK_SCHEDULER)


def _replace(scheduler: type) -> None:
    from tvm import auto_scheduler

    auto_scheduler.TaskScheduler = scheduler
    auto_scheduler.task_scheduler.TaskScheduler = scheduler
