"""Random numbers for the weights of networks that have none: the same ones every time, without TVM."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..example_inputs import SEED

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class NamedWeights:
    """The weights of a network by name, as a tuner's TVM has them. Of a dense layer they are outputs x inputs, or the
    other way round; of a convolution as its layout and TVM have them."""

    arrays: dict[str, NDArray[Any]]
    outputs_first: bool


def draw_weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, NDArray[Any]]:
    """Random weights for the names, the same ones every time.

    Weights of one kind and shape are one array: a network of 632 million weights takes 0.1 GB until it is compiled, and
    neither tasks nor latency depend on the values.
    """
    drawn: dict[tuple[str, tuple[int, ...]], NDArray[Any]] = {}
    for name, shape in shapes.items():
        key = (_kind(name), shape)
        if key not in drawn:
            drawn[key] = _draw(*key)
    return {name: drawn[_kind(name), shape] for name, shape in shapes.items()}


def _kind(name: str) -> str:
    if re.search("gamma|scale", name):
        return "scale"
    return "shift" if re.search("beta|shift|bias", name) else "weight"


def _draw(kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
    random = np.random.default_rng((SEED, *shape))
    # No exact 0 or 1: TVM would leave such an addition or multiplication out.
    if kind == "scale":
        return random.uniform(0.5, 1.5, shape).astype("float32")
    if kind == "shift":
        return random.uniform(0.01, 0.1, shape).astype("float32")
    fan = max(1, int(np.prod(shape) / max(shape)))
    return random.standard_normal(shape, "float32") * np.float32(np.sqrt(2.0 / fan))
