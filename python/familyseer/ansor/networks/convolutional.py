"""The paper's convolutional networks (networks/convolutional.py) in Relay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...example_inputs import example_input
from .network import Network, network_of

if TYPE_CHECKING:
    from tvm import relay

    from ...networks.convolutional import Body


def classifier(body: Body, batch: int, layout: str) -> Network:
    """The network of a body, with a softmax behind."""
    from tvm import relay

    shape = (batch, 224, 224, 3) if layout == "NHWC" else (batch, 3, 224, 224)
    output = relay.nn.softmax(body(_Layers(layout), relay.var("data", shape=shape)))
    return network_of(output, {"data": example_input(shape, "float32")})


class _Layers:
    """The layers, in one layout; numbers them to name their weights (networks/convolutional.py, `Layers`)."""

    def __init__(self, layout: str) -> None:
        self.layout = layout
        self._count = 0

    def convolution(
        self, x: relay.Expr, channels: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
    ) -> relay.Expr:
        from tvm import relay

        name = self._name("conv")
        kernel_layout = "OIHW" if self.layout == "NCHW" else ("HWOI" if groups > 1 else "HWIO")
        # Relay infers a weight's shape, but not with groups.
        depthwise = (kernel, kernel, channels, 1) if self.layout == "NHWC" else (channels, 1, kernel, kernel)
        weight = relay.var(f"{name}_weight", shape=depthwise) if groups > 1 else relay.var(f"{name}_weight")
        y = relay.nn.conv2d(
            x,
            weight,
            strides=(stride, stride),
            padding=(kernel // 2, kernel // 2),
            groups=groups,
            channels=channels,
            kernel_size=(kernel, kernel),
            data_layout=self.layout,
            kernel_layout=kernel_layout,
        )
        return y + self._per_channel(f"{name}_bias", channels) if bias else y

    def norm(self, x: relay.Expr, channels: int) -> relay.Expr:
        # TVM makes these two of the four that a norm is trained with, by compiling some ten little programs for each
        # norm: much of an extraction's time.
        return self.shift(x * self._per_channel(f"{self._name('norm')}_scale", channels), channels)

    def shift(self, x: relay.Expr, channels: int) -> relay.Expr:
        return x + self._per_channel(f"{self._name('norm')}_shift", channels)

    def convolution_norm(
        self, x: relay.Expr, channels: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
    ) -> relay.Expr:
        return self.shift(self.convolution(x, channels, kernel, stride, groups, bias), channels)

    def dense(self, x: relay.Expr, units: int) -> relay.Expr:
        from tvm import relay

        return relay.nn.bias_add(relay.nn.dense(x, relay.var("fc_weight"), units=units), relay.var("fc_bias"))

    def add(self, x: relay.Expr, y: relay.Expr) -> relay.Expr:
        return x + y

    def relu(self, x: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.nn.relu(x)

    def relu6(self, x: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.clip(x, 0.0, 6.0)

    def max_pool(self, x: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.nn.max_pool2d(x, (3, 3), strides=(2, 2), padding=(1, 1), layout=self.layout)

    def mean(self, x: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.nn.global_avg_pool2d(x, layout=self.layout)

    def flatten(self, x: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.nn.batch_flatten(x)

    def _per_channel(self, name: str, channels: int) -> relay.Var:
        from tvm import relay

        return relay.var(name, shape=(1, 1, 1, channels) if self.layout == "NHWC" else (1, channels, 1, 1))

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count}"
