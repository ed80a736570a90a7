"""A network as Relay has it, with its weights and inputs to run it on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...example_inputs import SEED

if TYPE_CHECKING:
    import tvm
    from numpy.typing import NDArray
    from tvm import relay

    from ...wire import messages

LAYOUTS = ("NHWC", "NCHW")


@dataclass(frozen=True)
class Network:
    """A Relay module, its weights by name, and an example of each of its inputs by name."""

    module: tvm.IRModule
    weights: dict[str, tvm.nd.NDArray]
    inputs: dict[str, NDArray[Any]]

    def described_inputs(self) -> list[messages.DescribedInput]:
        """The inputs as the other side knows them (protocol, `extract`)."""
        return [
            {"name": name, "shape": list(example.shape), "dtype": str(example.dtype)}
            for name, example in self.inputs.items()
        ]


def network_of(output: relay.Expr, inputs: dict[str, NDArray[Any]]) -> Network:
    """The network that computes `output` from `inputs`; every other free variable is a weight, and is drawn."""
    import tvm
    from tvm import relay

    module = tvm.IRModule.from_expr(relay.Function(relay.analysis.free_vars(output), output))
    module = relay.transform.InferType()(module)
    shapes = {
        parameter.name_hint: tuple(int(extent) for extent in parameter.checked_type.shape)
        for parameter in module["main"].params
        if parameter.name_hint not in inputs
    }
    return Network(module, draw_weights(shapes), inputs)


def draw_weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, tvm.nd.NDArray]:
    """Random weights for the names, the same ones every time.

    Weights of one kind and shape are one array: a network of 632 million weights takes 0.1 GB until it is compiled, and
    neither tasks nor latency depend on the values.
    """
    import tvm

    drawn: dict[tuple[str, tuple[int, ...]], tvm.nd.NDArray] = {}
    for name, shape in shapes.items():
        key = (_kind(name), shape)
        if key not in drawn:
            drawn[key] = tvm.nd.array(_draw(*key))
    return {name: drawn[_kind(name), shape] for name, shape in shapes.items()}


def _kind(name: str) -> str:
    if re.search("gamma|scale", name):
        return "scale"
    return "shift" if re.search("beta|shift|bias", name) else "weight"


def _draw(kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
    random = np.random.default_rng((SEED, *shape))
    # No exact 0 or 1: TVM would leave such an addition or multiplication out.
    if kind == "scale":
        return random.uniform(0.5, 1.5, shape).astype("float32")
    if kind == "shift":
        return random.uniform(0.01, 0.1, shape).astype("float32")
    fan = max(1, int(np.prod(shape) / max(shape)))
    return random.standard_normal(shape, "float32") * np.float32(np.sqrt(2.0 / fan))
