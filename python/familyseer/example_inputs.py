"""Something to run a network on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 0


def example_input(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Random numbers from 0 to 1, and for whole numbers zeros, which index anything."""
    if np.issubdtype(np.dtype(dtype), np.floating):
        return np.random.default_rng(SEED).uniform(size=shape).astype(dtype)
    return np.zeros(shape, dtype)


def example_bytes(shape: tuple[int, ...], dtype: str) -> int:
    """The memory that making an example takes: numpy draws floats of 64 bits."""
    kind = np.dtype(dtype)
    drawn = 8 if np.issubdtype(kind, np.floating) else 0
    return math.prod(shape) * (kind.itemsize + drawn)
