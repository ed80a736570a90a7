"""A network by name as an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from .builder import Operations, outputs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..networks.weights import NamedWeights

# The first with LayerNormalization.
_OPSET = 17
_IR_VERSION = 8
# An ONNX file has at most 2 GB, so that all but a few numbers are in another beside it.
_FEW_BYTES = 1024


def write_onnx(
    file: Path, model: str, batch: int, layout: str, weights: NamedWeights, inputs: Mapping[str, NDArray[Any]]
) -> None:
    """Writes a network by name, and its weights beside it."""
    import onnx
    from onnx import helper

    with file.with_suffix(".weights").open("wb") as numbers:
        operations = _OnnxOperations(weights, numbers)
        outputs = outputs_of(model, batch, layout, operations)
    graph = helper.make_graph(
        operations.nodes,
        model,
        [helper.make_tensor_value_info(name, _type_of(each), each.shape) for name, each in inputs.items()],
        [helper.make_tensor_value_info(each.name, onnx.TensorProto.FLOAT, None) for each in outputs],
        operations.initializers,
    )
    opsets = [helper.make_opsetid("", _OPSET)]
    file.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION).SerializeToString())


def _type_of(array: NDArray[Any]) -> int:
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(array.dtype))


class _Tensor:
    """A value of the graph."""

    def __init__(self, operations: _OnnxOperations, name: str) -> None:
        self.operations = operations
        self.name = name

    def __add__(self, other: _Tensor) -> _Tensor:
        return self.operations.node("Add", self, other)

    def __sub__(self, other: _Tensor) -> _Tensor:
        return self.operations.node("Sub", self, other)

    def __mul__(self, other: _Tensor) -> _Tensor:
        return self.operations.node("Mul", self, other)

    def __truediv__(self, other: _Tensor) -> _Tensor:
        return self.operations.node("Div", self, other)


class _OnnxOperations(Operations):
    def __init__(self, weights: NamedWeights, numbers: BinaryIO) -> None:
        super().__init__(weights)
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._numbers = numbers
        self._stored: dict[str, _Tensor] = {}

    def node(self, operator: str, *operands: _Tensor, **attributes: Any) -> _Tensor:
        return self._nodes(1, operator, *operands, **attributes)[0]

    def _nodes(self, outputs: int, operator: str, *operands: _Tensor, **attributes: Any) -> list[_Tensor]:
        from onnx import helper

        names = [f"{operator}_{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(operator, [each.name for each in operands], names, **attributes))
        return [_Tensor(self, name) for name in names]

    def input(self, name: str, example: NDArray[Any]) -> _Tensor:
        return _Tensor(self, name)

    def stored(self, name: str, array: NDArray[Any]) -> _Tensor:
        from onnx import StringStringEntryProto, TensorProto

        if name in self._stored:
            return self._stored[name]
        tensor = TensorProto(name=name, dims=array.shape, data_type=_type_of(array))
        numbers = np.ascontiguousarray(array).tobytes()
        if len(numbers) <= _FEW_BYTES:
            tensor.raw_data = numbers
        else:
            location = Path(self._numbers.name).name
            place = {"location": location, "offset": self._numbers.tell(), "length": len(numbers)}
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.extend(
                StringStringEntryProto(key=key, value=str(value)) for key, value in place.items()
            )
            self._numbers.write(numbers)
        self.initializers.append(tensor)
        return self._stored.setdefault(name, _Tensor(self, name))

    def const(self, value: float | NDArray[Any]) -> _Tensor:
        array = np.asarray(value, "float32")
        return self.stored(f"const_{array.tobytes().hex() if array.ndim == 0 else len(self.initializers)}", array)

    def _whole(self, *numbers: int) -> _Tensor:
        return self.stored("_".join(map(str, ("whole", *numbers))), np.array(numbers, "int64"))

    def convolution(
        self, x: _Tensor, weight: _Tensor, bias: _Tensor | None, stride: int, padding: int, groups: int
    ) -> _Tensor:
        operands = [x, weight] if bias is None else [x, weight, bias]
        return self.node("Conv", *operands, strides=[stride] * 2, pads=[padding] * 4, group=groups)

    def affine(self, x: _Tensor, weight: _Tensor, bias: _Tensor | None) -> _Tensor:
        # The transpose of a weight is folded when the file is loaded.
        y = self.product(x, self.transpose(weight, (1, 0)))
        return y if bias is None else y + bias

    def max_pool(self, x: _Tensor) -> _Tensor:
        return self.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])

    def mean_of_images(self, x: _Tensor) -> _Tensor:
        return self.node("GlobalAveragePool", x)

    def relu(self, x: _Tensor) -> _Tensor:
        return self.node("Relu", x)

    def relu6(self, x: _Tensor) -> _Tensor:
        return self.node("Clip", x, self.const(0.0), self.const(6.0))

    def flatten(self, x: _Tensor) -> _Tensor:
        return self.node("Flatten", x)

    def product(self, x: _Tensor, y: _Tensor) -> _Tensor:
        return self.node("MatMul", x, y)

    def reshape(self, x: _Tensor, shape: Sequence[int]) -> _Tensor:
        return self.node("Reshape", x, self._whole(*shape))

    def transpose(self, x: _Tensor, axes: Sequence[int]) -> _Tensor:
        return self.node("Transpose", x, perm=list(axes))

    def expand_dims(self, x: _Tensor, axis: int) -> _Tensor:
        return self.node("Unsqueeze", x, self._whole(axis))

    def broadcast_to(self, x: _Tensor, shape: Sequence[int]) -> _Tensor:
        return self.node("Expand", x, self._whole(*shape))

    def concatenate(self, parts: Sequence[_Tensor], axis: int) -> _Tensor:
        return self.node("Concat", *parts, axis=axis)

    def split(self, x: _Tensor, parts: int, axis: int) -> Sequence[_Tensor]:
        return self._nodes(parts, "Split", x, axis=axis)

    def repeat(self, x: _Tensor, times: int, axis: int) -> _Tensor:
        # Of a vector, the one thing that a network repeats.
        return self.reshape(self.broadcast_to(self.expand_dims(x, 1), (1, times)), (-1,))

    def take(self, x: _Tensor, index: int, axis: int) -> _Tensor:
        return self.node("Gather", x, self.stored(f"index_{index}", np.array(index, "int64")), axis=axis)

    def rows(self, table: _Tensor, numbers: _Tensor) -> _Tensor:
        return self.node("Gather", table, numbers)

    def less(self, x: _Tensor, y: _Tensor) -> _Tensor:
        return self.node("Less", x, y)

    def where(self, condition: _Tensor, x: _Tensor, y: _Tensor) -> _Tensor:
        return self.node("Where", condition, x, y)

    def softmax(self, x: _Tensor, axis: int) -> _Tensor:
        return self.node("Softmax", x, axis=axis)

    def layer_norm(self, x: _Tensor, gamma: _Tensor, beta: _Tensor) -> _Tensor:
        return self.node("LayerNormalization", x, gamma, beta, axis=-1, epsilon=1e-5)

    def mean(self, x: _Tensor) -> _Tensor:
        return self.node("ReduceMean", x, axes=[-1])

    def max(self, x: _Tensor) -> _Tensor:
        return self.node("ReduceMax", x, axes=[-1])

    def sum(self, x: _Tensor) -> _Tensor:
        return self.node("ReduceSum", x, self._whole(-1))

    def power(self, x: _Tensor, exponent: int) -> _Tensor:
        return self.node("Pow", x, self.const(exponent))

    def erf(self, x: _Tensor) -> _Tensor:
        return self.node("Erf", x)

    def exp(self, x: _Tensor) -> _Tensor:
        return self.node("Exp", x)

    def sqrt(self, x: _Tensor) -> _Tensor:
        return self.node("Sqrt", x)

    def tanh(self, x: _Tensor) -> _Tensor:
        return self.node("Tanh", x)
