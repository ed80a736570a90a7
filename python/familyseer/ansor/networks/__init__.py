"""The networks that can be tuned: by name, built in Relay with seeded random weights, offline; or from a file."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import partial
from typing import Callable

from ...example_inputs import example_input
from ...network_files import is_file
from ...networks import LAYOUTS, check_question, refuse_inputs
from ...networks.convolutional import CLASSIFIERS
from ...networks.inputs import AskedInput, asked_inputs
from ...networks.transformers import TRANSFORMERS
from .convolutional import classifier
from .files import check_file, load_network
from .network import Network
from .transformers import transformer

__all__ = ["LAYOUTS", "PAPER", "AskedInput", "Network", "asked_inputs", "build_network", "check_network"]


# The eight of the paper.
PAPER: dict[str, Callable[[int, str], Network]] = {
    **{name: partial(classifier, body) for name, body in CLASSIFIERS.items()},
    **{name: partial(transformer, body) for name, body in TRANSFORMERS.items()},
}


def check_network(name: str, batch: int, layout: str) -> None:
    """Builds nothing. Raises RequestError for a name that does not exist (with the near ones), a file that is not there
    or is of no kind that can be read, a layout there is not, and a batch of none."""
    check_question(name, batch, layout, _makers(), ".json (Relay), .onnx, .pt (TorchScript)")
    if is_file(name):
        check_file(name)


def build_network(name: str, batch: int = 1, layout: str = "NHWC", inputs: Sequence[AskedInput] = ()) -> Network:
    """Builds a network by name, or loads it from a file (`files.py` says of which kinds).

    Image networks take batch x 224 x 224 x 3; what else a network takes is said where it is built. `inputs` is what the
    user says of a file's inputs.

    Raises RequestError for what `check_network` refuses, a file that holds no network, or inputs that cannot be
    (`inputs.settle`).
    """
    check_network(name, batch, layout)
    if is_file(name):
        return load_network(name, batch, layout, inputs)
    refuse_inputs(name, inputs)
    return _makers()[name](batch, layout)


def _makers() -> dict[str, Callable[[int, str], Network]]:
    return {**PAPER, **_relay_testing()}


def _relay_testing() -> dict[str, Callable[[int, str], Network]]:
    makers: dict[str, Callable[[int, str], Network]] = {
        "mlp": _testing("mlp"),
        "dcgan": _testing("dcgan"),
        "dqn": _testing("dqn"),
        "inception_v3": _testing("inception_v3"),
        "mobilenet": _testing("mobilenet", layouts=True),
        "squeezenet_v1.1": _testing("squeezenet", version="1.1"),
        "densenet-121": _testing("densenet", densenet_size=121),
    }
    for layers in (18, 34, 50, 101, 152):
        makers[f"resnet-{layers}"] = _testing("resnet", layouts=True, num_layers=layers)
    for layers in (11, 16, 19):
        makers[f"vgg-{layers}"] = _testing("vgg", num_layers=layers)
    return makers


def _testing(module_name: str, layouts: bool = False, **options: object) -> Callable[[int, str], Network]:
    """A network of TVM's `relay.testing`; only some of them can be built in NHWC."""

    def make(batch: int, layout: str) -> Network:
        settings = dict(options)
        if layouts and layout == "NHWC":
            # Without the shape TVM builds nonsense shapes without a word.
            settings.update(layout="NHWC", image_shape=(224, 224, 3))
        maker = importlib.import_module(f"tvm.relay.testing.{module_name}")
        module, weights = maker.get_workload(batch_size=batch, **settings)
        kind = next(p for p in module["main"].params if p.name_hint == "data").checked_type
        shape = tuple(int(extent) for extent in kind.shape)
        return Network(module, weights, {"data": example_input(shape, kind.dtype)})

    return make
