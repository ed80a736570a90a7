"""Networks in Relax: the paper's eight, and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tvm

    from ...wire import messages


@dataclass(frozen=True)
class Network:
    """A network in Relax. `main` of `module` takes the inputs, then the weights: `weights` holds arrays for them."""

    module: tvm.IRModule
    weights: list[Any]

    def described_inputs(self) -> list[messages.DescribedInput]:
        raise NotImplementedError


def check_network(model: str, batch: int, layout: str) -> None:
    raise NotImplementedError


def build_network(model: str, batch: int, layout: str, inputs: Sequence[dict[str, Any]] = ()) -> Network:
    raise NotImplementedError
