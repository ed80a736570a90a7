"""Convolutional networks, layer for layer as in MXNet's model zoo (`gluon.model_zoo.vision`), which the paper took them
from, without the softmax that the paper put behind each."""

from __future__ import annotations

from typing import Any, Callable, Protocol

CLASSES = 1000
# Of each ResNet: how many blocks its four stages have.
RESNET_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 152: (3, 8, 36, 3)}

# As the tuner's TVM has them.
Tensor = Any
# Makes batch x classes of batch images of 224 x 224.
Body = Callable[["Layers", Tensor], Tensor]


class Layers(Protocol):
    """The layers of a TVM, in one layout; it names their weights."""

    def convolution(
        self, x: Tensor, channels: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
    ) -> Tensor:
        """A convolution with `same` padding; with as many groups as channels it is a depthwise one."""

    def convolution_norm(
        self, x: Tensor, channels: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
    ) -> Tensor:
        """A convolution and its norm."""

    def norm(self, x: Tensor, channels: int) -> Tensor:
        """A batch norm as it is at inference: a scale and a shift."""

    def shift(self, x: Tensor, channels: int) -> Tensor:
        """A norm whose scale is in the weights of the convolutions next to it, where TVM would bring it, too."""

    def dense(self, x: Tensor, units: int) -> Tensor:
        """Of a matrix, with a bias."""

    def add(self, x: Tensor, y: Tensor) -> Tensor: ...

    def relu(self, x: Tensor) -> Tensor: ...

    def relu6(self, x: Tensor) -> Tensor: ...

    def max_pool(self, x: Tensor) -> Tensor:
        """3 x 3, with stride 2."""

    def mean(self, x: Tensor) -> Tensor:
        """Over height and width, which stay as 1."""

    def flatten(self, x: Tensor) -> Tensor:
        """To a matrix of batch rows."""


def mobilenet_v1(width: float) -> Body:
    """MobileNet (arXiv 1704.04861, table 1) with a width multiplier."""

    def body(layers: Layers, x: Tensor) -> Tensor:
        channels = int(32 * width)
        x = layers.relu(layers.convolution_norm(x, channels, 3, 2))
        blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
        for out, stride in blocks:
            x = layers.relu(layers.convolution_norm(x, channels, 3, stride, groups=channels))
            channels = int(out * width)
            x = layers.relu(layers.convolution_norm(x, channels, 1))
        return layers.dense(layers.flatten(layers.mean(x)), CLASSES)

    return body


def mobilenet_v2(width: float) -> Body:
    """MobileNetV2 (arXiv 1801.04381, table 2) with a width multiplier, which leaves the last layer at 1280.

    As in MXNet the first block has the layer that expands its channels, too (by 1), widths are not rounded to a
    multiple of 8, and the classifier is a convolution without bias.
    """

    def body(layers: Layers, x: Tensor) -> Tensor:
        channels = int(32 * width)
        x = layers.relu6(layers.convolution_norm(x, channels, 3, 2))
        stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2)]
        for expansion, wide, repeats, first_stride in [*stages, (6, 320, 1, 1)]:
            out = int(wide * width)
            for index in range(repeats):
                stride = first_stride if index == 0 else 1
                hidden = channels * expansion
                y = layers.relu6(layers.convolution_norm(x, hidden, 1))
                y = layers.relu6(layers.convolution_norm(y, hidden, 3, stride, groups=hidden))
                y = layers.convolution_norm(y, out, 1)
                x = layers.add(y, x) if stride == 1 and channels == out else y
                channels = out
        x = layers.relu6(layers.convolution_norm(x, 1280, 1))
        return layers.flatten(layers.convolution(layers.mean(x), CLASSES, 1))

    return body


def resnet_v1(depth: int) -> Body:
    """ResNet with bottlenecks (arXiv 1512.03385).

    As in MXNet the 1 x 1 convolutions of a block have a bias, and the first one has the stride.
    """

    def block(layers: Layers, x: Tensor, channels: int, out: int, stride: int) -> Tensor:
        y = layers.relu(layers.convolution_norm(x, out // 4, 1, stride, bias=True))
        y = layers.relu(layers.convolution_norm(y, out // 4, 3))
        y = layers.convolution_norm(y, out, 1, bias=True)
        shortcut = layers.convolution_norm(x, out, 1, stride) if channels != out else x
        return layers.relu(layers.add(y, shortcut))

    def body(layers: Layers, x: Tensor) -> Tensor:
        x = layers.max_pool(layers.relu(layers.convolution_norm(x, 64, 7, 2)))
        x = _stages(block, layers, x, depth)
        return layers.dense(layers.flatten(layers.mean(x)), CLASSES)

    return body


def resnet_v2(depth: int) -> Body:
    """ResNet with bottlenecks whose norms and activations come before the convolutions (arXiv 1603.05027).

    As in MXNet the image itself is normed first, no convolution has a bias, and a block's 3 x 3 one has the stride.
    """

    def block(layers: Layers, x: Tensor, channels: int, out: int, stride: int) -> Tensor:
        y = layers.relu(layers.shift(x, channels))
        shortcut = layers.convolution(y, out, 1, stride) if channels != out else x
        y = layers.relu(layers.convolution_norm(y, out // 4, 1))
        y = layers.relu(layers.convolution_norm(y, out // 4, 3, stride))
        return layers.add(layers.convolution(y, out, 1), shortcut)

    def body(layers: Layers, x: Tensor) -> Tensor:
        x = layers.convolution_norm(layers.shift(x, 3), 64, 7, 2)
        x = _stages(block, layers, layers.max_pool(layers.relu(x)), depth)
        x = layers.mean(layers.relu(layers.norm(x, 2048)))
        return layers.dense(layers.flatten(x), CLASSES)

    return body


def basic_resnet(depth: int) -> Body:
    """ResNet without bottlenecks, whose norms and activations come before the convolutions (as `relay.testing` had)."""

    def block(layers: Layers, x: Tensor, channels: int, out: int, stride: int) -> Tensor:
        y = layers.relu(layers.shift(x, channels))
        shortcut = layers.convolution(y, out, 1, stride) if channels != out else x
        y = layers.relu(layers.convolution_norm(y, out, 3, stride))
        return layers.add(layers.convolution(y, out, 3), shortcut)

    def body(layers: Layers, x: Tensor) -> Tensor:
        x = layers.max_pool(layers.relu(layers.convolution_norm(layers.shift(x, 3), 64, 7, 2)))
        x = _stages(block, layers, x, depth, first=64)
        return layers.dense(layers.flatten(layers.mean(layers.relu(layers.norm(x, 512)))), CLASSES)

    return body


def _stages(block: Callable[..., Tensor], layers: Layers, x: Tensor, depth: int, first: int = 256) -> Tensor:
    """From 64 channels to as many as `first`, and twice as many in each of the three stages after."""
    channels = 64
    for stage, blocks in enumerate(RESNET_BLOCKS[depth]):
        out = first << stage
        for index in range(blocks):
            x = block(layers, x, channels, out, 2 if stage > 0 and index == 0 else 1)
            channels = out
    return x


# The paper's, by name.
CLASSIFIERS: dict[str, Body] = {
    "resnet50_v1": resnet_v1(50),
    "resnet152_v2": resnet_v2(152),
    "mobilenet0.5": mobilenet_v1(0.5),
    "mobilenetv2_0.5": mobilenet_v2(0.5),
}
