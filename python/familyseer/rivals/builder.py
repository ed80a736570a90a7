"""A network by name for a runtime that is not TVM: the layers that both tuners have, with a tuner's own weights.

A convolutional network is NCHW, as these runtimes have it: where TVM's is NHWC, it gets the same image transposed
(`inputs_of`). A transformer gets TVM's own inputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..networks.convolutional import CLASSIFIERS
from ..networks.transformers import SEQUENCE, TRANSFORMERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..networks import transformers
    from ..networks.weights import NamedWeights

# As the runtime has them, with +, -, * and / among themselves.
Tensor = Any


def inputs_of(model: str, layout: str, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """TVM's inputs of a network by name, as `outputs_of` takes them."""
    transposed = model in CLASSIFIERS and layout == "NHWC"
    return {name: each.transpose(0, 3, 1, 2).copy() if transposed else each for name, each in inputs.items()}


def outputs_of(model: str, batch: int, layout: str, operations: Operations) -> Sequence[Tensor]:
    """The outputs of a network by name; its weights are in `layout`."""
    if model in CLASSIFIERS:
        image = operations.input("data", np.empty(0))
        return [operations.softmax(CLASSIFIERS[model](_Layers(operations, layout), image), 1)]
    made = TRANSFORMERS[model](cast("transformers.Operations", operations), batch, layout)
    return made if isinstance(made, (list, tuple)) else [made]


class Operations(ABC):
    """networks/transformers.py, `Operations`, as far as all runtimes have the same; and what images need."""

    def __init__(self, weights: NamedWeights) -> None:
        self.weights = weights

    @abstractmethod
    def input(self, name: str, example: NDArray[Any]) -> Tensor: ...

    @abstractmethod
    def stored(self, name: str, array: NDArray[Any]) -> Tensor:
        """A weight. No two have the same memory, also where their numbers are equal, so that no cache holds both."""

    @abstractmethod
    def convolution(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, groups: int
    ) -> Tensor:
        """`weight` is outputs x inputs of a group x height x width, `bias` a vector."""

    @abstractmethod
    def affine(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """A dense layer of the last axis; `weight` is outputs x inputs."""

    @abstractmethod
    def max_pool(self, x: Tensor) -> Tensor:
        """3 x 3, with stride 2; of images, as are the next ones."""

    @abstractmethod
    def mean_of_images(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def relu(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def relu6(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def flatten(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def const(self, value: float | NDArray[Any]) -> Tensor: ...

    @abstractmethod
    def product(self, x: Tensor, y: Tensor) -> Tensor: ...

    @abstractmethod
    def transpose(self, x: Tensor, axes: Sequence[int]) -> Tensor: ...

    @abstractmethod
    def softmax(self, x: Tensor, axis: int) -> Tensor: ...

    @abstractmethod
    def less(self, x: Tensor, y: Tensor) -> Tensor: ...

    @abstractmethod
    def where(self, condition: Tensor, x: Tensor, y: Tensor) -> Tensor: ...

    @abstractmethod
    def expand_dims(self, x: Tensor, axis: int) -> Tensor: ...

    def weight(self, name: str, shape: tuple[int, ...]) -> Tensor:
        return self.stored(name, self.weights.arrays[name])

    def first_positions(self, name: str, shape: tuple[int, int], positions: int) -> Tensor:
        return self.stored(name, self.weights.arrays[name][: shape[0]])

    def dense(self, x: Tensor, name: str, inputs: int, outputs: int, rows: tuple[int, ...] = ()) -> Tensor:
        # These runtimes multiply any number of rows.
        return self.linear(x, name, inputs, outputs)

    def linear(self, x: Tensor, name: str, inputs: int, outputs: int, bias: bool = True) -> Tensor:
        array = self.weights.arrays[f"{name}_weight"]
        weight = self.stored(f"{name}_weight", array if self.weights.outputs_first else array.T)
        return self.affine(x, weight, self.weight(f"{name}_bias", (outputs,)) if bias else None)

    def product_transposed(self, x: Tensor, y: Tensor) -> Tensor:
        return self.product(x, self.transpose(y, (0, 2, 1)))

    def mask_rows(self, x: Tensor, lengths: Tensor, value: float) -> Tensor:
        # All rows that a network masks are a sequence long.
        inside = self.less(self.const(np.arange(SEQUENCE)), self.expand_dims(lengths, 1))
        return self.where(inside, x, self.const(value))


class _Layers:
    """networks/convolutional.py, `Layers`. A norm after a convolution is the convolution's bias, as a runtime's own
    tools fold it."""

    def __init__(self, operations: Operations, layout: str) -> None:
        self.operations = operations
        self.arrays = operations.weights.arrays
        self.layout = layout
        self._count = 0
        self.relu, self.relu6 = operations.relu, operations.relu6
        self.max_pool, self.mean, self.flatten = operations.max_pool, operations.mean_of_images, operations.flatten

    def convolution(
        self, x: Tensor, channels: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
    ) -> Tensor:
        name = self._name("conv")
        return self._convolution(x, name, [f"{name}_bias"] if bias else [], kernel, stride, groups)

    def convolution_norm(
        self, x: Tensor, channels: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
    ) -> Tensor:
        name = self._name("conv")
        added = [f"{name}_bias"] if bias else []
        return self._convolution(x, name, [*added, f"{self._name('norm')}_shift"], kernel, stride, groups)

    def norm(self, x: Tensor, channels: int) -> Tensor:
        return self.shift(x * self._per_channel(f"{self._name('norm')}_scale"), channels)

    def shift(self, x: Tensor, channels: int) -> Tensor:
        return x + self._per_channel(f"{self._name('norm')}_shift")

    def dense(self, x: Tensor, units: int) -> Tensor:
        return self.operations.linear(x, "fc", 0, units)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y

    def _convolution(self, x: Tensor, name: str, added: list[str], kernel: int, stride: int, groups: int) -> Tensor:
        weight = self.arrays[f"{name}_weight"]
        if self.layout == "NHWC":
            # Relay has the channels of a depthwise one third, Relax last; the numbers are in the same order.
            inputs = 1 if groups > 1 else weight.shape[2]
            weight = weight.reshape(kernel, kernel, inputs, -1).transpose(3, 2, 0, 1)
        store = self.operations.stored
        shifts = [self.arrays[each].reshape(-1) for each in added]
        bias = store(f"{name}_added", np.sum(shifts, axis=0)) if shifts else None
        return self.operations.convolution(x, store(f"{name}_weight", weight), bias, stride, kernel // 2, groups)

    def _per_channel(self, name: str) -> Tensor:
        return self.operations.stored(name, self.arrays[name].reshape(1, -1, 1, 1))

    def _name(self, kind: str) -> str:
        """As the tuners name them."""
        self._count += 1
        return f"{kind}{self._count}"
