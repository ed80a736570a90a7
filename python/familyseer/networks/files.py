"""Networks from files:

- `.json`: a Relay module or function as `tvm.ir.save_json` writes it. Its weights are constants in it, or in a file of
  the same name that ends with `.params` (`relay.save_param_dict`); what is neither is an input.
- `.onnx`, with the package onnx, of a version that TVM's frontend knows (before 1.19). An extent that the file leaves
  open is the batch.
- `.pt`, `.pth`: TorchScript, traced, of images (batch x 3 x 224 x 224), with the package torch.

Convolutions are brought into the layout asked for, as the paper's scripts do.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ..errors import RequestError
from .network import Network, example_input

if TYPE_CHECKING:
    import numpy as np
    import tvm
    from tvm import relay

    Loaded = tuple[tvm.IRModule, dict[str, tvm.nd.NDArray]]


def is_file(name: str) -> bool:
    """Whether what a user calls a model is a file rather than a name."""
    return "/" in name or Path(name).suffix in _LOADERS


def digests_of(name: str) -> list[str]:
    """Of the contents of what a network is read from, as far as that exists; none for one that has but a name."""
    files = (Path(name), Path(name).with_suffix(".params")) if is_file(name) else ()
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()]


def load_network(name: str, batch: int, layout: str) -> Network:
    """Raises RequestError if the file is not there, holds no network, or holds operators that TVM does not have."""
    path = Path(name)
    if path.suffix not in _LOADERS:
        raise RequestError(f"{path} is no network that can be read. Expected a file that ends with {_ENDINGS}.")
    if not path.is_file():
        raise RequestError(f"There is no network {path}. Expected a file.")
    module, weights = _LOADERS[path.suffix](path, batch)
    with _refusing(path):
        module = _in_layout(module, layout)
    inputs = {}
    for parameter in module["main"].params:
        if parameter.name_hint not in weights:
            inputs[parameter.name_hint] = _example(path, parameter)
    return Network(module, weights, inputs)


def _example(path: Path, parameter: relay.Var) -> np.ndarray:
    from tvm import tir

    kind = parameter.checked_type
    if not all(isinstance(extent, tir.IntImm) for extent in kind.shape):
        raise RequestError(
            f"{path} leaves the shape of its input {parameter.name_hint} open: {list(kind.shape)}. "
            "Expected whole numbers."
        )
    return example_input(tuple(int(extent) for extent in kind.shape), kind.dtype)


def _load_relay(path: Path, batch: int) -> Loaded:
    import tvm
    from tvm import relay

    text = _json_text(path)
    with _refusing(path):
        loaded = tvm.ir.load_json(text)
    if isinstance(loaded, relay.Function):
        loaded = tvm.IRModule.from_expr(loaded)
    if not isinstance(loaded, tvm.IRModule) or "main" not in {f.name_hint for f in loaded.get_global_vars()}:
        raise RequestError(f"{path} holds no Relay module with a function main, but {type(loaded).__name__}.")
    if batch != 1:
        raise RequestError(f"batch is {batch}, but the shapes of a Relay module are its own. Expected no batch, or 1.")
    weights = path.with_suffix(".params")
    if not weights.is_file():
        return loaded, {}
    with _refusing(weights):
        return loaded, dict(relay.load_param_dict(weights.read_bytes()))


def _json_text(path: Path) -> str:
    """The text, once it is sure that TVM's own reader, which trusts it, finds what it expects."""
    try:
        text = path.read_text()
        content = json.loads(text)
    except ValueError as error:
        raise RequestError(f"{path} is no JSON text ({error}). Expected what tvm.ir.save_json writes.") from None
    if not isinstance(content, dict) or not isinstance(content.get("nodes"), list) or "root" not in content:
        raise RequestError(f"{path} is no Relay module: it has no nodes. Expected what tvm.ir.save_json writes.")
    return text


def _load_onnx(path: Path, batch: int) -> Loaded:
    from tvm import relay

    onnx = _package("onnx", "onnx<1.19", path)
    with _refusing(path):
        model = onnx.load(str(path))
    if not model.graph.node:
        raise RequestError(f"{path} is no ONNX network: it has no operators.")
    stored = {weight.name for weight in model.graph.initializer}
    shapes = {
        each.name: tuple(extent.dim_value or batch for extent in each.type.tensor_type.shape.dim)
        for each in model.graph.input
        if each.name not in stored
    }
    with _refusing(path):
        return relay.frontend.from_onnx(model, shapes)


def _load_torchscript(path: Path, batch: int) -> Loaded:
    from tvm import relay

    torch = _package("torch", "torch", path)
    shape = (batch, 3, 224, 224)
    with _refusing(path, "Expected what torch.jit.save writes."):
        script = torch.jit.load(str(path), map_location="cpu").eval()
    with _refusing(path, f"It is read as torch.jit.trace's of images, {' x '.join(map(str, shape))}."):
        return relay.frontend.from_pytorch(script, [("data", shape)])


_LOADERS = {".json": _load_relay, ".onnx": _load_onnx, ".pt": _load_torchscript, ".pth": _load_torchscript}
_ENDINGS = ", ".join(_LOADERS)


def _in_layout(module: tvm.IRModule, layout: str) -> tvm.IRModule:
    import tvm
    from tvm import relay

    passes = [
        relay.transform.InferType(),
        relay.transform.RemoveUnusedFunctions(),
        relay.transform.ConvertLayout({"nn.conv2d": [layout, "default"]}),
        relay.transform.InferType(),
    ]
    with tvm.transform.PassContext(opt_level=3):
        return tvm.transform.Sequential(passes)(module)


def _package(name: str, requirement: str, path: Path) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise RequestError(
            f"{path} needs the Python package {name}, which the Python with TVM lacks. Install it there "
            f'(pip install "{requirement}"), or save the network as Relay JSON.'
        ) from None


@contextmanager
def _refusing(path: Path, expected: str = "") -> Iterator[None]:
    """Whatever a reader raises is about the file: there are as many kinds as readers."""
    try:
        yield
    except Exception as error:
        message = f"{path} is no network that TVM can take: {last_line(error)} {expected}"
        raise RequestError(message.rstrip()) from None


def last_line(error: Exception) -> str:
    """What TVM says is the last line of what it raises; before it comes where."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
