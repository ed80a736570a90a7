"""TVM's MetaSchedule as a tuner, and what scripts of TVM's own use of it.

`StreamingBuilder` and `StreamingRunner` measure for `ms.tune_tasks` (docs/measuring.md);
`load_intrinsics(target)` has TVM parse no more tensor intrinsics than a target needs.
`TaskScheduler`, `CostModel`, `install` and `uninstall` have the orchestrator decide there (docs/drop-in.md).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .intrinsics import load as load_intrinsics
    from .streaming import StreamingBuilder, StreamingRunner

__all__ = [
    "CostModel",
    "StreamingBuilder",
    "StreamingRunner",
    "TaskScheduler",
    "install",
    "load_intrinsics",
    "uninstall",
]

# Loaded when asked for: with TVM, which this package must not import. The drop-in is above this room.
_HOMES = {
    "CostModel": ("familyseer.drop_in.family_model", "CostModel"),
    "StreamingBuilder": ("familyseer.metaschedule.streaming", "StreamingBuilder"),
    "StreamingRunner": ("familyseer.metaschedule.streaming", "StreamingRunner"),
    "TaskScheduler": ("familyseer.drop_in.metaschedule", "TaskScheduler"),
    "install": ("familyseer.drop_in.metaschedule", "install"),
    "load_intrinsics": ("familyseer.metaschedule.intrinsics", "load"),
    "uninstall": ("familyseer.drop_in.metaschedule", "uninstall"),
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        module, attribute = _HOMES[name]
        return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
