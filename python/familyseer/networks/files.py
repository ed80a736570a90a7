"""What either tuner does with the files that networks are read from."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import RequestError
from .inputs import DTYPES, DeclaredInput


def check_file(name: str, endings: Sequence[str], elsewhere: Mapping[str, str]) -> None:
    """Raises RequestError if the file is not there, or is of no kind that can be read. `endings` are those of kinds
    that can be, `elsewhere` says of others what they are and what to do."""
    path = Path(name)
    if path.suffix in elsewhere:
        raise RequestError(f"{path} is {elsewhere[path.suffix]}")
    if path.suffix not in endings:
        raise RequestError(
            f"{path} is no network that can be read. Expected a file that ends with {', '.join(endings)}."
        )
    if not path.is_file():
        raise RequestError(f"There is no network {path}. Expected a file.")


def package(name: str, requirement: str, path: Path, instead: str) -> ModuleType:
    """A package that a kind of file needs; raises RequestError where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise RequestError(
            f"{path} needs the Python package {name}, which the Python with TVM lacks. Install it there "
            f'(pip install "{requirement}"), or save the network as {instead}.'
        ) from None


def json_of(path: Path) -> tuple[str, Any]:
    """The text of a file, and what it is as JSON. Raises RequestError for a file that is none."""
    try:
        text = path.read_text()
        return text, json.loads(text)
    except ValueError as error:
        raise RequestError(f"{path} is no JSON text ({error}). Expected what tvm.ir.save_json writes.") from None


def onnx_inputs(onnx: ModuleType, path: Path, model: Any) -> list[DeclaredInput]:
    """What an ONNX model says of its inputs. Raises RequestError for a model of no operators, and for inputs that are
    no tensors of numbers."""
    if not model.graph.node:
        raise RequestError(f"{path} is no ONNX network: it has no operators.")
    stored = {weight.name for weight in model.graph.initializer}
    return [_of_onnx(onnx, path, each) for each in model.graph.input if each.name not in stored]


def _of_onnx(onnx: ModuleType, path: Path, given: Any) -> DeclaredInput:
    kind = given.type.tensor_type
    spelled = {"float32": "FLOAT", "float64": "DOUBLE"}
    names = {getattr(onnx.TensorProto, spelled.get(name, name.upper())): name for name in DTYPES}
    dtype = names.get(kind.elem_type)
    if not given.type.HasField("tensor_type") or dtype is None:
        what = given.type.WhichOneof("value") or "nothing"
        element = f" of {onnx.TensorProto.DataType.Name(kind.elem_type)}" if what == "tensor_type" else ""
        raise RequestError(
            f"{path}: its input {given.name} is {what.replace('_type', '')}{element}, for which there is no example to "
            f"run it on. Expected tensors of {', '.join(DTYPES)}."
        )
    if not kind.HasField("shape"):
        return DeclaredInput(given.name, (), (dtype,), any_rank=True)
    extents = tuple(
        extent.dim_value if extent.HasField("dim_value") and extent.dim_value > 0 else extent.dim_param
        for extent in kind.shape.dim
    )
    return DeclaredInput(given.name, extents, (dtype,))
