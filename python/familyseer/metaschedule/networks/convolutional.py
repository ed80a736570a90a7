"""The paper's convolutional networks (networks/convolutional.py) in Relax."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .network import Maker, Network, shape_of

if TYPE_CHECKING:
    from tvm import relax

    from ...networks.convolutional import Body


def classifier(body: Body, batch: int, layout: str) -> Network:
    """The network of a body, with a softmax behind."""
    from tvm.relax import op

    maker = Maker()
    data = maker.input("data", (batch, 224, 224, 3) if layout == "NHWC" else (batch, 3, 224, 224))
    return maker.network(lambda: op.nn.softmax(body(_Layers(maker, layout), data)))


class _Layers:
    """The layers, in one layout; numbers them to name their weights (networks/convolutional.py, `Layers`)."""

    def __init__(self, maker: Maker, layout: str) -> None:
        self.maker = maker
        self.layout = layout
        self._count = 0

    def convolution(
        self, x: relax.Var, channels: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
    ) -> relax.Var:
        from tvm.relax import op

        name = self._name("conv")
        into = shape_of(x)[3 if self.layout == "NHWC" else 1] // groups
        size = (kernel, kernel)
        weight = self.maker.weight(
            f"{name}_weight", (*size, into, channels) if self.layout == "NHWC" else (channels, into, *size)
        )
        y = self.maker.emit(
            op.nn.conv2d(
                x,
                weight,
                strides=(stride, stride),
                padding=(kernel // 2, kernel // 2),
                groups=groups,
                data_layout=self.layout,
                kernel_layout="HWIO" if self.layout == "NHWC" else "OIHW",
            )
        )
        return self.add(y, self._per_channel(f"{name}_bias", channels)) if bias else y

    def norm(self, x: relax.Var, channels: int) -> relax.Var:
        from tvm.relax import op

        scale = self._per_channel(f"{self._name('norm')}_scale", channels)
        return self.shift(self.maker.emit(op.multiply(x, scale)), channels)

    def shift(self, x: relax.Var, channels: int) -> relax.Var:
        return self.add(x, self._per_channel(f"{self._name('norm')}_shift", channels))

    def convolution_norm(
        self, x: relax.Var, channels: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
    ) -> relax.Var:
        return self.shift(self.convolution(x, channels, kernel, stride, groups, bias), channels)

    def dense(self, x: relax.Var, units: int) -> relax.Var:
        from tvm.relax import op

        weight = self.maker.weight("fc_weight", (shape_of(x)[1], units))
        return self.add(self.maker.emit(op.matmul(x, weight)), self.maker.weight("fc_bias", (units,)))

    def add(self, x: relax.Var, y: relax.Var) -> relax.Var:
        from tvm.relax import op

        return self.maker.emit(op.add(x, y))

    def relu(self, x: relax.Var) -> relax.Var:
        from tvm.relax import op

        return self.maker.emit(op.nn.relu(x))

    def relu6(self, x: relax.Var) -> relax.Var:
        from tvm.relax import op

        return self.maker.emit(op.clip(x, 0, 6))

    def max_pool(self, x: relax.Var) -> relax.Var:
        from tvm.relax import op

        return self.maker.emit(op.nn.max_pool2d(x, (3, 3), strides=(2, 2), padding=(1, 1), layout=self.layout))

    def mean(self, x: relax.Var) -> relax.Var:
        from tvm.relax import op

        return self.maker.emit(op.nn.adaptive_avg_pool2d(x, (1, 1), layout=self.layout))

    def flatten(self, x: relax.Var) -> relax.Var:
        from tvm.relax import op

        batch, *rest = shape_of(x)
        return self.maker.emit(op.reshape(x, (batch, max(rest))))

    def _per_channel(self, name: str, channels: int) -> relax.Var:
        return self.maker.weight(name, (1, 1, 1, channels) if self.layout == "NHWC" else (1, channels, 1, 1))

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count}"
