"""The paper's transformers (networks/transformers.py) in Relay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .network import Network, network_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tvm import relay

    from ...networks.transformers import Body


def transformer(body: Body, batch: int, layout: str) -> Network:
    from tvm import relay

    operations = _Operations()
    outputs = body(operations, batch, layout)
    output = outputs if isinstance(outputs, relay.Expr) else relay.Tuple(list(outputs))
    return network_of(output, operations.inputs)


class _Operations:
    """See networks/transformers.py, `Operations`."""

    def __init__(self) -> None:
        self.inputs: dict[str, NDArray[Any]] = {}

    def input(self, name: str, example: NDArray[Any]) -> relay.Expr:
        from tvm import relay

        self.inputs[name] = example
        return relay.var(name, shape=example.shape, dtype=str(example.dtype))

    def weight(self, name: str, shape: tuple[int, ...]) -> relay.Expr:
        from tvm import relay

        return relay.var(name, shape=shape)

    def first_positions(self, name: str, shape: tuple[int, int], positions: int) -> relay.Expr:
        from tvm import relay

        return relay.strided_slice(self.weight(name, (positions, shape[1])), (0, 0), shape)

    def const(self, value: float | NDArray[Any]) -> relay.Expr:
        from tvm import relay

        return relay.const(value)

    def dense(self, x: relay.Expr, name: str, inputs: int, outputs: int, rows: tuple[int, ...] = ()) -> relay.Expr:
        """By the frontends of MXNet and ONNX (Gemm): as a matrix, bias and all."""
        from tvm import relay

        matrix = relay.reshape(x, (-1, inputs)) if rows else x
        y = relay.nn.dense(matrix, self.weight(f"{name}_weight", (outputs, inputs)))
        y = relay.nn.bias_add(y, self.weight(f"{name}_bias", (outputs,)))
        return relay.reshape(y, (*rows, outputs)) if rows else y

    def linear(self, x: relay.Expr, name: str, inputs: int, outputs: int, bias: bool = True) -> relay.Expr:
        """By the frontend of PyTorch: as a matrix, the bias added after."""
        from tvm import relay

        y = relay.nn.dense(relay.reshape(x, (-1, inputs)), self.weight(f"{name}_weight", (outputs, inputs)))
        y = relay.reshape_like(y, x, lhs_begin=0, lhs_end=1, rhs_begin=0, rhs_end=2)
        return y + self.weight(f"{name}_bias", (outputs,)) if bias else y

    def product(self, x: relay.Expr, y: relay.Expr) -> relay.Expr:
        return self.product_transposed(x, self.transpose(y, (0, 2, 1)))

    def product_transposed(self, x: relay.Expr, y: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.nn.batch_matmul(x, y)

    def reshape(self, x: relay.Expr, shape: Sequence[int]) -> relay.Expr:
        from tvm import relay

        return relay.reshape(x, shape)

    def transpose(self, x: relay.Expr, axes: Sequence[int]) -> relay.Expr:
        from tvm import relay

        return relay.transpose(x, axes)

    def expand_dims(self, x: relay.Expr, axis: int) -> relay.Expr:
        from tvm import relay

        return relay.expand_dims(x, axis=axis)

    def broadcast_to(self, x: relay.Expr, shape: Sequence[int]) -> relay.Expr:
        from tvm import relay

        return relay.broadcast_to(x, shape)

    def concatenate(self, parts: Sequence[relay.Expr], axis: int) -> relay.Expr:
        from tvm import relay

        return relay.concatenate(parts, axis=axis)

    def split(self, x: relay.Expr, parts: int, axis: int) -> Sequence[relay.Expr]:
        from tvm import relay

        return list(relay.split(x, parts, axis=axis))

    def repeat(self, x: relay.Expr, times: int, axis: int) -> relay.Expr:
        from tvm import relay

        return relay.repeat(x, times, axis=axis)

    def take(self, x: relay.Expr, index: int, axis: int) -> relay.Expr:
        from tvm import relay

        return relay.take(x, relay.const(index, "int32"), axis=axis)

    def rows(self, table: relay.Expr, numbers: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.take(table, numbers, axis=0)

    def mask_rows(self, x: relay.Expr, lengths: relay.Expr, value: float) -> relay.Expr:
        from tvm import relay

        return relay.sequence_mask(x, lengths, value, axis=1)

    def softmax(self, x: relay.Expr, axis: int) -> relay.Expr:
        from tvm import relay

        return relay.nn.softmax(x, axis=axis)

    def layer_norm(self, x: relay.Expr, gamma: relay.Expr, beta: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.nn.layer_norm(x, gamma, beta, axis=-1, epsilon=1e-5)

    def mean(self, x: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.mean(x, axis=-1, keepdims=True)

    def max(self, x: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.max(x, axis=-1, keepdims=True)

    def sum(self, x: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.sum(x, axis=-1, keepdims=True)

    def power(self, x: relay.Expr, exponent: int) -> relay.Expr:
        from tvm import relay

        return relay.power(x, relay.const(float(exponent)))

    def erf(self, x: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.erf(x)

    def exp(self, x: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.exp(x)

    def sqrt(self, x: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.sqrt(x)

    def tanh(self, x: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.tanh(x)
