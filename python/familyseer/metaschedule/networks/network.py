"""A network as Relax has it, with its weights, and what builds one layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...example_inputs import example_input
from ...networks.weights import draw_weights

if TYPE_CHECKING:
    import tvm
    from numpy.typing import NDArray
    from tvm import relax

    from ...wire import messages


@dataclass(frozen=True)
class Network:
    """A network in Relax.

    `main` of `module` takes the inputs, then the weights, for which `weights` holds arrays of numpy in their order.
    Neither has an open extent.
    """

    module: tvm.IRModule
    weights: list[NDArray[Any]]

    def inputs(self) -> list[relax.Var]:
        """Those of `main`, before the weights."""
        parameters = list(self.module["main"].params)
        return parameters[: len(parameters) - len(self.weights)]

    def described_inputs(self) -> list[messages.DescribedInput]:
        """The inputs as the other side knows them (protocol, `extract`)."""
        return [
            {"name": str(each.name), "shape": list(shape_of(each)), "dtype": dtype_of(each)} for each in self.inputs()
        ]

    def examples(self) -> dict[str, NDArray[Any]]:
        """What it is run on, by name, in the order of the inputs."""
        return {each["name"]: example_input(tuple(each["shape"]), each["dtype"]) for each in self.described_inputs()}


class Maker:
    """Builds a network in Relax. What it is given and gives are bound variables, so that each may be used twice."""

    def __init__(self) -> None:
        from tvm import relax

        self.builder = relax.BlockBuilder()
        self._inputs: list[relax.Var] = []
        self._weights: list[relax.Var] = []

    def input(self, name: str, shape: Sequence[int], dtype: str = "float32") -> relax.Var:
        self._inputs.append(_variable(name, shape, dtype))
        return self._inputs[-1]

    def weight(self, name: str, shape: Sequence[int]) -> relax.Var:
        self._weights.append(_variable(name, shape, "float32"))
        return self._weights[-1]

    def emit(self, expression: relax.Expr) -> relax.Var:
        return self.builder.emit(expression)

    def network(self, body: Any) -> Network:
        """The network that computes what `body`, which calls this maker, returns."""
        with self.builder.function("main"):
            with self.builder.dataflow():
                output = self.builder.emit_output(body())
            self.builder.emit_func_output(output, params=[*self._inputs, *self._weights])
        module = self.builder.get()
        module["main"] = module["main"].with_attr("num_input", len(self._inputs))
        drawn = draw_weights({str(each.name): shape_of(each) for each in self._weights})
        return Network(module, list(drawn.values()))


def shape_of(variable: relax.Expr) -> tuple[int, ...]:
    return tuple(int(extent) for extent in variable.ty.shape)


def dtype_of(variable: relax.Expr) -> str:
    return str(variable.ty.dtype)


def _variable(name: str, shape: Sequence[int], dtype: str) -> relax.Var:
    from tvm import relax

    return relax.Var(name, relax.TensorType(tuple(shape), dtype))
