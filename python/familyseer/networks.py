"""The networks that can be tuned by name, built in Relay with seeded random weights, offline."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

import numpy as np

from .errors import RequestError

if TYPE_CHECKING:
    import tvm
    from tvm import relay

LAYOUTS = ("NHWC", "NCHW")
CLASSES = 1000
WEIGHT_SEED = 0


@dataclass(frozen=True)
class Network:
    """A Relay module, its weights by name, and the shape of its one input, `data`."""

    module: tvm.IRModule
    weights: dict[str, tvm.nd.NDArray]
    input_shape: tuple[int, ...]


def build_network(name: str, batch: int = 1, layout: str = "NHWC") -> Network:
    """Builds a network by name, with inputs of `batch` x 224 x 224 x 3 for the image networks.

    Raises RequestError for a name that does not exist (with the near ones) or a layout the network does not have.
    """
    makers = _makers()
    if name not in makers:
        near = difflib.get_close_matches(name, makers, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        raise RequestError(f"Unknown model: {name}. {hint}The models are {', '.join(sorted(makers))}.")
    if layout not in LAYOUTS:
        raise RequestError(f"Unknown layout: {layout}. The layouts are {' and '.join(LAYOUTS)}.")
    if batch < 1:
        raise RequestError(f"batch is {batch}. Expected a whole number of at least 1.")
    return makers[name](batch, layout)


def _makers() -> dict[str, Callable[[int, str], Network]]:
    makers: dict[str, Callable[[int, str], Network]] = {
        "mobilenet0.5": lambda batch, layout: _finish(_Builder(layout), batch, _mobilenet_v1(0.5)),
        "mobilenetv2_0.5": lambda batch, layout: _finish(_Builder(layout), batch, _mobilenet_v2(0.5)),
        "mlp": _testing("mlp"),
        "dcgan": _testing("dcgan"),
        "dqn": _testing("dqn"),
        "inception_v3": _testing("inception_v3"),
        "mobilenet": _testing("mobilenet", layouts=True),
        "squeezenet_v1.1": _testing("squeezenet", version="1.1"),
        "densenet-121": _testing("densenet", densenet_size=121),
    }
    for layers in (18, 34, 50, 101):
        makers[f"resnet-{layers}"] = _testing("resnet", layouts=True, num_layers=layers)
    for layers in (11, 16, 19):
        makers[f"vgg-{layers}"] = _testing("vgg", num_layers=layers)
    return makers


def _testing(module_name: str, layouts: bool = False, **options: object) -> Callable[[int, str], Network]:
    """A network of TVM's `relay.testing`; only some of them can be built in NHWC."""

    def make(batch: int, layout: str) -> Network:
        import importlib

        settings = dict(options)
        if layouts and layout == "NHWC":
            # Without the shape TVM builds nonsense shapes without a word.
            settings.update(layout="NHWC", image_shape=(224, 224, 3))
        maker = importlib.import_module(f"tvm.relay.testing.{module_name}")
        module, weights = maker.get_workload(batch_size=batch, **settings)
        shape = next(p for p in module["main"].params if p.name_hint == "data").checked_type.shape
        return Network(module, weights, tuple(int(extent) for extent in shape))

    return make


class _Builder:
    """Convolution, batch norm and activation in one layout."""

    def __init__(self, layout: str) -> None:
        self.layout = layout
        self.channel_axis = 3 if layout == "NHWC" else 1
        self._count = 0

    def convolution(self, x: relay.Expr, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> relay.Expr:
        """A convolution with `same` padding and batch norm."""
        from tvm import relay

        self._count += 1
        name = f"conv{self._count}"
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
        norm = [relay.var(f"{name}_{part}") for part in ("gamma", "beta", "moving_mean", "moving_var")]
        return relay.nn.batch_norm(y, *norm, axis=self.channel_axis)[0]


def _mobilenet_v1(width: float) -> Callable[[_Builder, relay.Expr], relay.Expr]:
    """MobileNet (arXiv 1704.04861), table 1, with a width multiplier."""

    def body(builder: _Builder, x: relay.Expr) -> relay.Expr:
        from tvm import relay

        def scaled(channels: int) -> int:
            return int(channels * width)

        x = relay.nn.relu(builder.convolution(x, scaled(32), 3, 2))
        channels = scaled(32)
        blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
        for out, stride in blocks:
            x = relay.nn.relu(builder.convolution(x, channels, 3, stride, groups=channels))
            channels = scaled(out)
            x = relay.nn.relu(builder.convolution(x, channels, 1))
        return x

    return body


def _mobilenet_v2(width: float) -> Callable[[_Builder, relay.Expr], relay.Expr]:
    """MobileNetV2 (arXiv 1801.04381), table 2, with a width multiplier (which leaves the last layer at 1280)."""

    def body(builder: _Builder, x: relay.Expr) -> relay.Expr:
        from tvm import relay

        def scaled(channels: int) -> int:
            # To a multiple of 8, never less than 90 % of what was asked for.
            rounded = max(8, int(channels * width + 4) // 8 * 8)
            return rounded + 8 if rounded < 0.9 * channels * width else rounded

        def relu6(y: relay.Expr) -> relay.Expr:
            return relay.clip(y, 0.0, 6.0)

        channels = scaled(32)
        x = relu6(builder.convolution(x, channels, 3, 2))
        stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2)]
        for expansion, out, repeats, first_stride in [*stages, (6, 320, 1, 1)]:
            for index in range(repeats):
                stride = first_stride if index == 0 else 1
                hidden = channels * expansion
                y = relu6(builder.convolution(x, hidden, 1)) if expansion > 1 else x
                y = relu6(builder.convolution(y, hidden, 3, stride, groups=hidden))
                y = builder.convolution(y, scaled(out), 1)
                x = relay.add(x, y) if stride == 1 and channels == scaled(out) else y
                channels = scaled(out)
        return relu6(builder.convolution(x, 1280, 1))

    return body


def _finish(builder: _Builder, batch: int, body: Callable[[_Builder, relay.Expr], relay.Expr]) -> Network:
    """Puts the classifier behind a body, infers the shapes of all weights and draws them."""
    import tvm
    from tvm import relay

    shape = (batch, 224, 224, 3) if builder.layout == "NHWC" else (batch, 3, 224, 224)
    x = body(builder, relay.var("data", shape=shape))
    x = relay.nn.batch_flatten(relay.nn.global_avg_pool2d(x, layout=builder.layout))
    x = relay.nn.bias_add(relay.nn.dense(x, relay.var("fc_weight"), units=CLASSES), relay.var("fc_bias"))
    x = relay.nn.softmax(x)
    module = tvm.IRModule.from_expr(relay.Function(relay.analysis.free_vars(x), x))
    module = relay.transform.InferType()(module)
    random = np.random.RandomState(WEIGHT_SEED)
    weights = {
        parameter.name_hint: tvm.nd.array(
            _draw(random, parameter.name_hint, [int(extent) for extent in parameter.checked_type.shape])
        )
        for parameter in module["main"].params
        if parameter.name_hint != "data"
    }
    return Network(module, weights, shape)


def _draw(random: np.random.RandomState, name: str, shape: list[int]) -> np.ndarray:
    if re.search("gamma|moving_var", name):
        return np.ones(shape, "float32")
    if re.search("beta|moving_mean|bias", name):
        return np.zeros(shape, "float32")
    fan = max(1, int(np.prod(shape) / max(shape)))
    return (random.standard_normal(shape) * np.sqrt(2.0 / fan)).astype("float32")
