"""The whole network by Relax's VM, with or without what tuning found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .networks import Network
    from .records import Record
    from .target import MetaTarget


class CompiledNetwork:
    """A network as TVM built it (backend.py, `Compiled`)."""

    executor: Literal["graph", "vm"] = "vm"

    def export(self, file: str) -> None:
        raise NotImplementedError

    def time(self, repeat: int, min_repeat_ms: int) -> list[float]:
        raise NotImplementedError


def compile_network(network: Network, target: MetaTarget, records: Sequence[Record] | None) -> CompiledNetwork:
    raise NotImplementedError
