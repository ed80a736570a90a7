"""Networks from files:

- `.json`: a Relax module as `tvm.ir.save_json` writes it. Its weights are constants in it, or in a file of the same
  name that ends with `.params` (`tvm.runtime.save_param_dict`); what is neither is an input.
- `.onnx`, with the package onnx.
- `.pt2`, with the package torch: what `torch.export.save` writes.

What a file leaves open of its inputs is the batch, or the user says it (networks/inputs.py). The functions are those
that TVM makes of the file by itself, so that it finds the programs of the tasks in its own compilation of it:
convolutions keep their layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import RequestError, last_line
from ...networks import files
from ...networks.inputs import DTYPES, AskedInput, DeclaredInput, settle
from .network import Network

if TYPE_CHECKING:
    import tvm
    from tvm import relax


def check_file(name: str) -> None:
    """Raises RequestError if the file is not there, or is of no kind that can be read."""
    files.check_file(name, tuple(_LOADERS), _ELSEWHERE)


def load_network(name: str, batch: int, asked: Sequence[AskedInput] = ()) -> Network:
    """Raises RequestError for what `check_file` refuses, a file that holds no network or operators that TVM does not
    have, or that leaves something open of its inputs that neither `asked` nor `batch` says."""
    check_file(name)
    path = Path(name)
    return Network(_LOADERS[path.suffix](path, batch, asked), [])


def _load_relax(path: Path, batch: int, asked: Sequence[AskedInput]) -> tvm.IRModule:
    import tvm
    from tvm import relax

    text, content = files.json_of(path)
    if isinstance(content, dict) and "root" in content:
        raise RequestError(
            f"{path} is a Relay module, which TVM's auto-scheduler reads: name a Python with TVM 0.18 (--tuner ansor), "
            "or make the network of its .onnx or PyTorch source. Expected a Relax module, as tvm.ir.save_json of TVM "
            f"{tvm.__version__} writes it."
        )
    with _refusing(path, "Expected a Relax module, as tvm.ir.save_json writes it."):
        module = tvm.ir.load_json(text)
    main = _main_of(module) if isinstance(module, tvm.IRModule) else None
    if not isinstance(main, relax.Function):
        what = type(module if main is None else main).__name__
        raise RequestError(f"{path} holds no Relax module with a function main, but {what}.")
    return _settled(path, _with_weights(path, module), batch, asked)


def _main_of(module: tvm.IRModule) -> Any:
    return next((module[each] for each in module.get_global_vars() if each.name_hint == "main"), None)


def _with_weights(path: Path, module: tvm.IRModule) -> tvm.IRModule:
    """With the weights beside it bound. Raises RequestError if they are another network's, or if the module says that
    it takes weights and they are not there."""
    import tvm
    from tvm import relax

    main, beside = module["main"], path.with_suffix(".params")
    parameters = {str(each.name): each for each in main.params}
    weights: dict[str, Any] = {}
    if beside.is_file():
        with _refusing(beside, "Expected what tvm.runtime.save_param_dict writes."):
            weights = {str(name): each for name, each in tvm.runtime.load_param_dict(beside.read_bytes()).items()}
        if weights and not set(weights) & set(parameters):
            raise RequestError(
                f"{beside} has no weight of {path}: {', '.join(list(weights)[:6])} are none of {', '.join(parameters)}."
            )
    given = (main.attrs or {}).get("num_input")
    lacking = [name for name in list(parameters)[int(given) :] if name not in weights] if given is not None else []
    if lacking:
        raise RequestError(
            f"{path} takes weights that are not there: {', '.join(lacking[:6])}. Expected them in {beside} "
            "(tvm.runtime.save_param_dict), or in the module as constants (relax.transform.BindParams)."
        )
    used = {name: each for name, each in weights.items() if name in parameters}
    with _refusing(beside, "Expected the weights of this network."):
        return relax.transform.BindParams("main", used)(module) if used else module


def _load_onnx(path: Path, batch: int, asked: Sequence[AskedInput]) -> tvm.IRModule:
    onnx = files.package("onnx", "onnx", path, _INSTEAD)
    from tvm.relax.frontend.onnx import from_onnx

    with _refusing(path):
        model = onnx.load(str(path))
    inputs = settle(path, files.onnx_inputs(onnx, path, model), asked, batch)
    shapes = {each.name: list(each.shape) for each in inputs}
    dtypes = {each.name: each.dtype for each in inputs}
    with _refusing(path):
        return from_onnx(model, shapes, dtypes, sanitize_input_names=False)


def _load_exported(path: Path, batch: int, asked: Sequence[AskedInput]) -> tvm.IRModule:
    torch = files.package("torch", "torch", path, _INSTEAD)
    from tvm.relax.frontend.torch import from_exported_program

    with _refusing(path, "Expected what torch.export.save writes."):
        module = from_exported_program(torch.export.load(str(path)))
    return _settled(path, module, batch, asked)


def _settled(path: Path, module: tvm.IRModule, batch: int, asked: Sequence[AskedInput]) -> tvm.IRModule:
    """With the extents that its inputs left open."""
    from tvm import relax, tirx

    parameters = list(module["main"].params)
    inputs = settle(path, [_declared(path, each) for each in parameters], asked, batch)
    extents = {
        str(extent.name): given
        for parameter, each in zip(parameters, inputs)
        for extent, given in zip(parameter.ty.shape.values, each.shape)
        if isinstance(extent, tirx.Var)
    }
    with _refusing(path):
        return relax.transform.BindSymbolicVars(extents)(module) if extents else module


def _declared(path: Path, parameter: relax.Var) -> DeclaredInput:
    from tvm import relax, tirx

    name, kind = str(parameter.name), parameter.ty
    tensor = isinstance(kind, relax.TensorType) and str(kind.dtype) in DTYPES
    if not tensor or not isinstance(kind.shape, relax.ShapeExpr):
        raise RequestError(
            f"{path}: its input {name} is {kind}, for which there is no example to run it on. Expected tensors of a "
            f"shape, of {', '.join(DTYPES)}."
        )
    extents = tuple(int(extent) if isinstance(extent, tirx.IntImm) else str(extent) for extent in kind.shape.values)
    return DeclaredInput(name, extents, (str(kind.dtype),))


_LOADERS = {".json": _load_relax, ".onnx": _load_onnx, ".pt2": _load_exported}
_INSTEAD = "Relax JSON (tvm.ir.save_json)"
_TORCHSCRIPT = (
    "TorchScript, which Relax does not read. Save the network by torch.export (.pt2) or as .onnx, or name a Python "
    "with TVM 0.18 (--tuner ansor)."
)
_ELSEWHERE = {".pt": _TORCHSCRIPT, ".pth": _TORCHSCRIPT}


@contextmanager
def _refusing(path: Path, expected: str = "") -> Iterator[None]:
    """Whatever a reader raises is about the file: there are as many kinds as readers."""
    try:
        yield
    except RequestError:
        raise
    except Exception as error:
        message = f"{path} is no network that TVM can take: {last_line(error).rstrip('.')}. {expected}"
        raise RequestError(message.rstrip()) from None
