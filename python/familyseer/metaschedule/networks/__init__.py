"""The networks that can be tuned: by name, built in Relax with seeded random weights, offline; or from a file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Callable

from ...network_files import is_file
from ...networks import check_question, refuse_inputs
from ...networks.convolutional import CLASSIFIERS, basic_resnet, mobilenet_v1
from ...networks.inputs import asked_inputs
from ...networks.transformers import TRANSFORMERS
from .convolutional import classifier
from .files import check_file, load_network
from .network import Network
from .small import mlp
from .transformers import transformer

__all__ = ["PAPER", "Network", "build_network", "check_network"]


# The eight of the paper.
PAPER: dict[str, Callable[[int, str], Network]] = {
    **{name: partial(classifier, body) for name, body in CLASSIFIERS.items()},
    **{name: partial(transformer, body) for name, body in TRANSFORMERS.items()},
}
_MAKERS: dict[str, Callable[[int, str], Network]] = {
    **PAPER,
    "mlp": lambda batch, _layout: mlp(batch),
    "mobilenet": partial(classifier, mobilenet_v1(1.0)),
    "resnet-18": partial(classifier, basic_resnet(18)),
    "resnet-34": partial(classifier, basic_resnet(34)),
}


def check_network(name: str, batch: int, layout: str) -> None:
    """Builds nothing. Raises RequestError for a name that does not exist (with the near ones), a file that is not there
    or is of no kind that can be read, a layout there is not, and a batch of none."""
    check_question(name, batch, layout, _MAKERS, ".json (Relax), .onnx, .pt2 (torch.export)")
    if is_file(name):
        check_file(name)


def build_network(name: str, batch: int = 1, layout: str = "NHWC", inputs: Sequence[dict[str, Any]] = ()) -> Network:
    """Builds a network by name, or loads it from a file (`files.py` says of which kinds), whose layout stays.

    Image networks take batch x 224 x 224 x 3; what else a network takes is said where it is built. `inputs` is what the
    user says of a file's inputs.

    Raises RequestError for what `check_network` refuses, a file that holds no network, or inputs that cannot be
    (`inputs.settle`).
    """
    check_network(name, batch, layout)
    asked = asked_inputs(inputs)
    if is_file(name):
        return load_network(name, batch, asked)
    refuse_inputs(name, asked)
    return _MAKERS[name](batch, layout)
