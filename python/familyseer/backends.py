"""The tuners there are. This alone, outside a tuner's own folder, names one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .backend import Backend


def default_backend() -> Backend:
    """The tuner of a worker that is told of no other: TVM's auto-scheduler."""
    from .ansor.backend import Ansor

    return Ansor()
