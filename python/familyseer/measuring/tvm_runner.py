"""Where scripts written before find `Streaming`; it is in familyseer.measuring."""

from __future__ import annotations

from typing import Any

from .. import measuring


def __getattr__(name: str) -> Any:
    return getattr(measuring, name)
