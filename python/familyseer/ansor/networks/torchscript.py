"""Networks from TorchScript files, and what such a file says of its network's inputs.

Saving drops the shapes that a network was traced with. What is left says something of them all the same: the names in
its signature, and the operators that take an input, by their weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...errors import RequestError
from ...example_inputs import example_input
from ...networks.inputs import DTYPES, AskedInput, DeclaredInput, Input, settle, shape_text

# What an embedding may be looked up by.
_INDICES = ("int64", "int32")
# Operators whose weight says something of their input, with the weight's place among the operands.
_WEIGHTS = {
    "aten::_convolution": 1,
    "aten::conv1d": 1,
    "aten::conv2d": 1,
    "aten::conv3d": 1,
    "aten::linear": 1,
    "aten::layer_norm": 2,
}
# Operators whose result has their input's shape and dtype.
_ELEMENTWISE = frozenset(
    f"aten::{name}"
    for name in ("relu", "relu_", "tanh", "sigmoid", "gelu", "silu", "dropout", "contiguous", "clone", "detach", "neg")
)


def declared_inputs(script: Any, path: Path) -> list[DeclaredInput]:
    """What a loaded TorchScript module says of its inputs; a tuple's parts are inputs `NAME.0`, `NAME.1`, ....

    Raises RequestError for inputs that are neither tensors nor tuples of tensors.
    """
    import torch

    names = [name for argument in _arguments(script) for name in _leaves(argument.name, argument.type, path)]
    graph = script.inlined_graph.copy()
    torch._C._jit_pass_lower_all_tuples(graph)
    values = list(graph.inputs())[1:]
    if len(values) != len(names):
        # The pass leaves tuples in places where it cannot follow them; nothing is known of their parts then.
        return [DeclaredInput(name, (), (), any_rank=True) for name in names]
    return [_declared(script, name, value) for name, value in zip(names, values)]


def from_torchscript(
    script: Any, path: Path, asked: Sequence[AskedInput], batch: int, reading: Callable[[], Any]
) -> Any:
    """The Relay module and weights of a loaded TorchScript module; `reading` refuses what TVM raises."""
    import torch
    from tvm import relay

    inputs = settle(path, declared_inputs(script, path), asked, batch)
    by_name = {each.name: each for each in inputs}
    _check_by_running(torch, script, path, by_name)
    infos = []
    for argument in _arguments(script):
        dtypes = {by_name[name].dtype for name in _leaves(argument.name, argument.type, path)}
        if len(dtypes) > 1:
            raise RequestError(
                f"{path}: the parts of its input {argument.name} are of {' and '.join(sorted(dtypes))}, and TVM takes "
                "a tuple of one dtype. Give them one, or make them inputs of their own."
            )
        shapes = _nested(argument.name, argument.type, lambda name: by_name[name].shape)
        infos.append((argument.name, (shapes, *dtypes)))
    floats = {each.dtype for each in inputs if each.dtype.startswith("float")}
    default = floats.pop() if len(floats) == 1 else "float32"
    with reading():
        return relay.frontend.from_pytorch(script, infos, default_dtype=default)


def _arguments(script: Any) -> list[Any]:
    return list(script.forward.schema.arguments)[1:]


def _leaves(name: str, kind: Any, path: Path) -> list[str]:
    """The names of the tensors in an argument."""
    if kind.kind() == "OptionalType":
        return _leaves(name, kind.getElementType(), path)
    if kind.kind() == "TensorType":
        return [name]
    if kind.kind() == "TupleType":
        return [leaf for i, part in enumerate(kind.elements()) for leaf in _leaves(f"{name}.{i}", part, path)]
    raise RequestError(
        f"{path}: its input {name} is of the type {kind.annotation_str}, which TVM cannot take. Expected tensors, or "
        "tuples of tensors; trace a network that takes only these, and has the rest in it."
    )


def _nested(name: str, kind: Any, of: Callable[[str], Any]) -> Any:
    """What `of` gives for each tensor of an argument, nested as they are."""
    if kind.kind() == "OptionalType":
        return _nested(name, kind.getElementType(), of)
    if kind.kind() == "TensorType":
        return of(name)
    return tuple(_nested(f"{name}.{i}", part, of) for i, part in enumerate(kind.elements()))


def _declared(script: Any, name: str, value: Any) -> DeclaredInput:
    declared = DeclaredInput(name, (), (), any_rank=True)
    for user in _users(value):
        said = _said_by(script, user, name)
        if said is not None and (declared.any_rank or not declared.dtypes):
            declared = said
    return declared


def _users(value: Any) -> list[Any]:
    """The operators that take a value as data, also behind such as leave its shape and dtype as they are."""
    found = []
    for use in value.uses():
        if use.user.kind() in _ELEMENTWISE and use.offset == 0:
            found += _users(use.user.output())
        elif use.offset == (1 if use.user.kind() == "aten::embedding" else 0):
            found.append(use.user)
    return found


def _said_by(script: Any, user: Any, name: str) -> DeclaredInput | None:
    """What an operator's weight says of its input; None if it says nothing."""
    operands = list(user.inputs())
    if user.kind() == "aten::embedding":
        return DeclaredInput(name, (), _INDICES, any_rank=True)
    weight = _constant(script, operands[_WEIGHTS[user.kind()]]) if user.kind() in _WEIGHTS else None
    if weight is None:
        return None
    dtypes = tuple(dtype for dtype in (str(weight.dtype).removeprefix("torch."),) if dtype in DTYPES)
    if user.kind() == "aten::linear":
        return DeclaredInput(name, (int(weight.shape[1]),), dtypes, any_rank=True)
    if user.kind() == "aten::layer_norm":
        return DeclaredInput(name, tuple(map(int, weight.shape)), dtypes, any_rank=True)
    general = user.kind() == "aten::_convolution"
    transposed = general and _constant(script, operands[6])
    groups = _constant(script, operands[8 if general else 6])
    if groups is None:
        return None
    channels = weight.shape[0] if transposed else weight.shape[1] * groups
    return DeclaredInput(name, ("", int(channels), *[""] * (weight.dim() - 2)), dtypes)


def _constant(script: Any, value: Any) -> Any:
    """What a value of the inlined graph is, a weight or a constant; None if it is neither."""
    node = value.node()
    if node.kind() == "prim::Constant":
        return value.toIValue()
    if node.kind() != "prim::GetAttr":
        return None
    owner = next(node.inputs())
    holder = script if owner.node().kind() == "prim::Param" else _constant(script, owner)
    return getattr(holder, node.s("name"), None)


def _dtype_of(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _check_by_running(torch: ModuleType, script: Any, path: Path, inputs: dict[str, Input]) -> None:
    """Raises RequestError if the network itself cannot take the inputs; PyTorch says why better than TVM."""

    def example(name: str) -> Any:
        return torch.from_numpy(np.asarray(example_input(inputs[name].shape, inputs[name].dtype)))

    try:
        with torch.no_grad():
            script(*(_nested(argument.name, argument.type, example) for argument in _arguments(script)))
    except Exception as error:
        # What PyTorch lacks on CPUs, TVM may have.
        if "not implemented for" in str(error):
            return
        said = [line.strip() for line in str(error).splitlines() if line.strip()]
        given = ", ".join(f"{each.name}:{shape_text(each.shape)}:{each.dtype}" for each in inputs.values())
        raise RequestError(
            f"{path} cannot be run on {given}: {said[-1] if said else type(error).__name__}. "
            "Expected the sizes and dtypes that the network takes, by --input NAME:SIZES[:DTYPE]."
        ) from None
