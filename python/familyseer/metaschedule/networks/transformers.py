"""The paper's transformers (networks/transformers.py) in Relax."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .network import Maker, Network, shape_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tvm import relax

    from ...networks.transformers import Body


def transformer(body: Body, batch: int, layout: str) -> Network:
    from tvm import relax

    maker = Maker()

    def output() -> relax.Expr:
        outputs = body(_Operations(maker), batch, layout)
        if isinstance(outputs, _Tensor):
            return outputs.variable
        return relax.Tuple([each.variable for each in outputs])

    return maker.network(output)


class _Tensor:
    """A variable, with arithmetic that binds each result to another, so that it is computed once."""

    def __init__(self, maker: Maker, variable: relax.Expr) -> None:
        self.maker = maker
        self.variable = variable

    @property
    def shape(self) -> tuple[int, ...]:
        return shape_of(self.variable)

    def __add__(self, other: _Tensor) -> _Tensor:
        return self._with("add", other)

    def __sub__(self, other: _Tensor) -> _Tensor:
        return self._with("subtract", other)

    def __mul__(self, other: _Tensor) -> _Tensor:
        return self._with("multiply", other)

    def __truediv__(self, other: _Tensor) -> _Tensor:
        return self._with("divide", other)

    def _with(self, operation: str, other: _Tensor) -> _Tensor:
        from tvm.relax import op

        return _Tensor(self.maker, self.maker.emit(getattr(op, operation)(self.variable, other.variable)))


class _Operations:
    """See networks/transformers.py, `Operations`."""

    def __init__(self, maker: Maker) -> None:
        self.maker = maker

    def input(self, name: str, example: NDArray[Any]) -> _Tensor:
        return _Tensor(self.maker, self.maker.input(name, example.shape, str(example.dtype)))

    def weight(self, name: str, shape: tuple[int, ...]) -> _Tensor:
        return _Tensor(self.maker, self.maker.weight(name, shape))

    def first_positions(self, name: str, shape: tuple[int, int], positions: int) -> _Tensor:
        # The slice of a weight is a weight.
        return self.weight(name, shape)

    def const(self, value: float | NDArray[Any]) -> _Tensor:
        from tvm import relax

        return _Tensor(self.maker, relax.const(np.asarray(value, "float32")))

    def dense(self, x: _Tensor, name: str, inputs: int, outputs: int, rows: tuple[int, ...] = ()) -> _Tensor:
        # Relax multiplies any number of rows.
        return self.linear(x, name, inputs, outputs)

    def linear(self, x: _Tensor, name: str, inputs: int, outputs: int, bias: bool = True) -> _Tensor:
        y = self.product(x, self.weight(f"{name}_weight", (inputs, outputs)))
        return y + self.weight(f"{name}_bias", (outputs,)) if bias else y

    def product(self, x: _Tensor, y: _Tensor) -> _Tensor:
        from tvm.relax import op

        return self._emit(op.matmul(x.variable, y.variable))

    def product_transposed(self, x: _Tensor, y: _Tensor) -> _Tensor:
        return self.product(x, self.transpose(y, (0, 2, 1)))

    def reshape(self, x: _Tensor, shape: Sequence[int]) -> _Tensor:
        from tvm.relax import op

        left = math.prod(x.shape) // math.prod(extent for extent in shape if extent != -1)
        return self._emit(op.reshape(x.variable, [left if extent == -1 else extent for extent in shape]))

    def transpose(self, x: _Tensor, axes: Sequence[int]) -> _Tensor:
        from tvm.relax import op

        return self._emit(op.permute_dims(x.variable, list(axes)))

    def expand_dims(self, x: _Tensor, axis: int) -> _Tensor:
        from tvm.relax import op

        return self._emit(op.expand_dims(x.variable, axis))

    def broadcast_to(self, x: _Tensor, shape: Sequence[int]) -> _Tensor:
        from tvm.relax import op

        return self._emit(op.broadcast_to(x.variable, list(shape)))

    def concatenate(self, parts: Sequence[_Tensor], axis: int) -> _Tensor:
        from tvm.relax import op

        return self._emit(op.concat([part.variable for part in parts], axis=axis))

    def split(self, x: _Tensor, parts: int, axis: int) -> Sequence[_Tensor]:
        from tvm import relax
        from tvm.relax import op

        made = self.maker.emit(op.split(x.variable, parts, axis=axis))
        return [self._emit(relax.TupleGetItem(made, part)) for part in range(parts)]

    def repeat(self, x: _Tensor, times: int, axis: int) -> _Tensor:
        from tvm.relax import op

        return self._emit(op.repeat(x.variable, times, axis=axis))

    def take(self, x: _Tensor, index: int, axis: int) -> _Tensor:
        from tvm.relax import op

        # A slice, unlike a take, is fused with what comes after.
        part = self._emit(op.strided_slice(x.variable, [axis], [index], [index + 1]))
        return self._emit(op.squeeze(part.variable, axis))

    def rows(self, table: _Tensor, numbers: _Tensor) -> _Tensor:
        from tvm.relax import op

        return self._emit(op.take(table.variable, numbers.variable, axis=0, mode="clip"))

    def mask_rows(self, x: _Tensor, lengths: _Tensor, value: float) -> _Tensor:
        from tvm.relax import op

        places = self.const(np.arange(x.shape[1]))
        inside = self.maker.emit(op.less(places.variable, self.expand_dims(lengths, 1).variable))
        return self._emit(op.where(inside, x.variable, self.const(value).variable))

    def softmax(self, x: _Tensor, axis: int) -> _Tensor:
        from tvm.relax import op

        return self._emit(op.nn.softmax(x.variable, axis=axis))

    def layer_norm(self, x: _Tensor, gamma: _Tensor, beta: _Tensor) -> _Tensor:
        from tvm.relax import op

        return self._emit(op.nn.layer_norm(x.variable, gamma.variable, beta.variable, axes=[-1], epsilon=1e-5))

    def mean(self, x: _Tensor) -> _Tensor:
        from tvm.relax import op

        return self._emit(op.mean(x.variable, axis=-1, keepdims=True))

    def max(self, x: _Tensor) -> _Tensor:
        from tvm.relax import op

        return self._emit(op.max(x.variable, axis=-1, keepdims=True))

    def sum(self, x: _Tensor) -> _Tensor:
        from tvm.relax import op

        return self._emit(op.sum(x.variable, axis=-1, keepdims=True))

    def power(self, x: _Tensor, exponent: int) -> _Tensor:
        # TVM fuses a multiplication, but no power.
        return x if exponent == 1 else self.power(x, exponent - 1) * x

    def erf(self, x: _Tensor) -> _Tensor:
        from tvm.relax import op

        return self._emit(op.erf(x.variable))

    def exp(self, x: _Tensor) -> _Tensor:
        from tvm.relax import op

        return self._emit(op.exp(x.variable))

    def sqrt(self, x: _Tensor) -> _Tensor:
        from tvm.relax import op

        return self._emit(op.sqrt(x.variable))

    def tanh(self, x: _Tensor) -> _Tensor:
        from tvm.relax import op

        return self._emit(op.tanh(x.variable))

    def _emit(self, expression: relax.Expr) -> _Tensor:
        return _Tensor(self.maker, self.maker.emit(expression))
