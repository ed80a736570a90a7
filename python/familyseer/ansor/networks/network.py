"""A network as Relay has it, with its weights and inputs to run it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...networks.weights import draw_weights

if TYPE_CHECKING:
    import tvm
    from numpy.typing import NDArray
    from tvm import relay

    from ...wire import messages


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
    drawn = draw_weights(shapes)
    # An array that several names have stays one.
    distinct = {id(value): value for value in drawn.values()}
    arrays = {number: tvm.nd.array(value) for number, value in distinct.items()}
    return Network(module, {name: arrays[id(value)] for name, value in drawn.items()}, inputs)
