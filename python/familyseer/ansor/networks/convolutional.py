"""Convolutional networks, layer for layer as in MXNet's model zoo (`gluon.model_zoo.vision`), which the paper took them
from, with the softmax that the paper put behind each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from ...example_inputs import example_input
from .network import Network, network_of

if TYPE_CHECKING:
    from tvm import relay

CLASSES = 1000
# Of each ResNet: how many blocks its four stages have.
RESNET_BLOCKS = {50: (3, 4, 6, 3), 152: (3, 8, 36, 3)}

Body = Callable[["_Builder", "relay.Expr"], "relay.Expr"]


def mobilenet_v1(width: float, batch: int, layout: str) -> Network:
    """MobileNet (arXiv 1704.04861, table 1) with a width multiplier."""

    def body(builder: _Builder, x: relay.Expr) -> relay.Expr:
        channels = int(32 * width)
        x = builder.relu(builder.convolution_norm(x, channels, 3, 2))
        blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
        for out, stride in blocks:
            x = builder.relu(builder.convolution_norm(x, channels, 3, stride, groups=channels))
            channels = int(out * width)
            x = builder.relu(builder.convolution_norm(x, channels, 1))
        return builder.dense(builder.flatten(builder.mean(x)), CLASSES)

    return _classifier(body, batch, layout)


def mobilenet_v2(width: float, batch: int, layout: str) -> Network:
    """MobileNetV2 (arXiv 1801.04381, table 2) with a width multiplier, which leaves the last layer at 1280.

    As in MXNet the first block has the layer that expands its channels, too (by 1), widths are not rounded to a
    multiple of 8, and the classifier is a convolution without bias.
    """

    def body(builder: _Builder, x: relay.Expr) -> relay.Expr:
        channels = int(32 * width)
        x = builder.relu6(builder.convolution_norm(x, channels, 3, 2))
        stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2)]
        for expansion, wide, repeats, first_stride in [*stages, (6, 320, 1, 1)]:
            out = int(wide * width)
            for index in range(repeats):
                stride = first_stride if index == 0 else 1
                hidden = channels * expansion
                y = builder.relu6(builder.convolution_norm(x, hidden, 1))
                y = builder.relu6(builder.convolution_norm(y, hidden, 3, stride, groups=hidden))
                y = builder.convolution_norm(y, out, 1)
                x = y + x if stride == 1 and channels == out else y
                channels = out
        x = builder.relu6(builder.convolution_norm(x, 1280, 1))
        return builder.flatten(builder.convolution(builder.mean(x), CLASSES, 1))

    return _classifier(body, batch, layout)


def resnet_v1(layers: int, batch: int, layout: str) -> Network:
    """ResNet with bottlenecks (arXiv 1512.03385).

    As in MXNet the 1 x 1 convolutions of a block have a bias, and the first one has the stride.
    """

    def block(builder: _Builder, x: relay.Expr, channels: int, out: int, stride: int) -> relay.Expr:
        y = builder.relu(builder.convolution_norm(x, out // 4, 1, stride, bias=True))
        y = builder.relu(builder.convolution_norm(y, out // 4, 3))
        y = builder.convolution_norm(y, out, 1, bias=True)
        return builder.relu(y + (builder.convolution_norm(x, out, 1, stride) if channels != out else x))

    def body(builder: _Builder, x: relay.Expr) -> relay.Expr:
        x = builder.max_pool(builder.relu(builder.convolution_norm(x, 64, 7, 2)))
        x = _stages(block, builder, x, layers)
        return builder.dense(builder.flatten(builder.mean(x)), CLASSES)

    return _classifier(body, batch, layout)


def resnet_v2(layers: int, batch: int, layout: str) -> Network:
    """ResNet with bottlenecks whose norms and activations come before the convolutions (arXiv 1603.05027).

    As in MXNet the image itself is normed first, no convolution has a bias, and a block's 3 x 3 one has the stride.
    """

    def block(builder: _Builder, x: relay.Expr, channels: int, out: int, stride: int) -> relay.Expr:
        y = builder.relu(builder.shift(x, channels))
        shortcut = builder.convolution(y, out, 1, stride) if channels != out else x
        y = builder.relu(builder.convolution_norm(y, out // 4, 1))
        y = builder.relu(builder.convolution_norm(y, out // 4, 3, stride))
        return builder.convolution(y, out, 1) + shortcut

    def body(builder: _Builder, x: relay.Expr) -> relay.Expr:
        x = builder.convolution_norm(builder.shift(x, 3), 64, 7, 2)
        x = _stages(block, builder, builder.max_pool(builder.relu(x)), layers)
        x = builder.mean(builder.relu(builder.norm(x, 2048)))
        return builder.dense(builder.flatten(x), CLASSES)

    return _classifier(body, batch, layout)


def _stages(block: Callable[..., relay.Expr], builder: _Builder, x: relay.Expr, layers: int) -> relay.Expr:
    """From 64 channels to 2048."""
    channels = 64
    for stage, blocks in enumerate(RESNET_BLOCKS[layers]):
        out = 256 << stage
        for index in range(blocks):
            x = block(builder, x, channels, out, 2 if stage > 0 and index == 0 else 1)
            channels = out
    return x


def _classifier(body: Body, batch: int, layout: str) -> Network:
    """The network of a body that makes batch x classes of batch images of 224 x 224."""
    from tvm import relay

    shape = (batch, 224, 224, 3) if layout == "NHWC" else (batch, 3, 224, 224)
    output = relay.nn.softmax(body(_Builder(layout), relay.var("data", shape=shape)))
    return network_of(output, {"data": example_input(shape, "float32")})


class _Builder:
    """The layers, in one layout; numbers them to name their weights."""

    def __init__(self, layout: str) -> None:
        self.layout = layout
        self._count = 0

    def convolution(
        self, x: relay.Expr, channels: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
    ) -> relay.Expr:
        """A convolution with `same` padding; with as many groups as channels it is a depthwise one."""
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
        """A batch norm as it is at inference: a scale and a shift.

        TVM makes these two of the four that a norm is trained with, by compiling some ten little programs for each
        norm: much of an extraction's time.
        """
        return self.shift(x * self._per_channel(f"{self._name('norm')}_scale", channels), channels)

    def shift(self, x: relay.Expr, channels: int) -> relay.Expr:
        """A norm whose scale is in the weights of the convolutions next to it, where TVM would bring it, too."""
        return x + self._per_channel(f"{self._name('norm')}_shift", channels)

    def convolution_norm(
        self, x: relay.Expr, channels: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
    ) -> relay.Expr:
        """A convolution and its norm."""
        return self.shift(self.convolution(x, channels, kernel, stride, groups, bias), channels)

    def dense(self, x: relay.Expr, units: int) -> relay.Expr:
        from tvm import relay

        return relay.nn.bias_add(relay.nn.dense(x, relay.var("fc_weight"), units=units), relay.var("fc_bias"))

    def relu(self, x: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.nn.relu(x)

    def relu6(self, x: relay.Expr) -> relay.Expr:
        from tvm import relay

        return relay.clip(x, 0.0, 6.0)

    def max_pool(self, x: relay.Expr) -> relay.Expr:
        """3 x 3, with stride 2."""
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
