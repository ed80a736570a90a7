"""Networks from files:

- `.json`: a Relay module or function as `tvm.ir.save_json` writes it. Its weights are constants in it, or in a file of
  the same name that ends with `.params` (`relay.save_param_dict`); what is neither is an input.
- `.onnx`, with the package onnx, of a version that TVM's frontend knows (before 1.19).
- `.pt`, `.pth`: TorchScript, with the package torch.

What a file leaves open of its inputs is the batch, or the user says it (`inputs.py`). Convolutions are brought into the
layout asked for, as the paper's scripts do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import RequestError, last_line
from ...example_inputs import example_input
from ...networks import files
from ...networks.inputs import DTYPES, AskedInput, DeclaredInput, Input, settle, shape_text
from .network import Network

if TYPE_CHECKING:
    import tvm
    from tvm import relay

    Loaded = tuple[tvm.IRModule, dict[str, tvm.nd.NDArray]]


# Of a file's names so many are told.
_NAMES_TOLD = 6


def check_file(name: str) -> None:
    """Raises RequestError if the file is not there, or is of no kind that can be read."""
    files.check_file(name, tuple(_LOADERS), _ELSEWHERE)


def load_network(name: str, batch: int, layout: str, asked: Sequence[AskedInput] = ()) -> Network:
    """Raises RequestError for what `check_file` refuses, a file that holds no network or operators that TVM does not
    have, or that leaves something open of its inputs that neither `asked` nor `batch` says.
    """
    check_file(name)
    path = Path(name)
    module, weights = _LOADERS[path.suffix](path, batch, asked)
    with _refusing(path):
        module = _in_layout(_with_plain_inputs(module), layout)
    inputs = {}
    for parameter in module["main"].params:
        if parameter.name_hint not in weights:
            kind = parameter.checked_type
            inputs[parameter.name_hint] = example_input(tuple(int(extent) for extent in kind.shape), kind.dtype)
    return Network(module, weights, inputs)


def _with_plain_inputs(module: tvm.IRModule) -> tvm.IRModule:
    """Each part of a TorchScript input that is a tuple becomes an input of its own, `NAME.0`, `NAME.1`, ...."""
    import tvm
    from tvm import relay

    main = module["main"]
    parameters: list[relay.Var] = []
    bound: dict[relay.Var, relay.Expr] = {}

    def parts(name: str, kind: tvm.ir.Type) -> relay.Expr:
        if isinstance(kind, tvm.ir.TupleType):
            return relay.Tuple([parts(f"{name}.{i}", part) for i, part in enumerate(kind.fields)])
        parameters.append(relay.var(name, kind))
        return parameters[-1]

    for parameter in main.params:
        if isinstance(parameter.type_annotation, tvm.ir.TupleType):
            bound[parameter] = parts(parameter.name_hint, parameter.type_annotation)
        else:
            parameters.append(parameter)
    return _with_main(module, parameters, bound) if bound else module


def _with_main(module: tvm.IRModule, parameters: list[relay.Var], bound: dict[relay.Var, relay.Expr]) -> tvm.IRModule:
    """The module with these parameters of its main function, and with what is bound in place of old ones."""
    from tvm import relay

    module["main"] = relay.Function(parameters, relay.bind(module["main"].body, bound))
    return module


def _load_relay(path: Path, batch: int, asked: Sequence[AskedInput]) -> Loaded:
    import tvm
    from tvm import relay

    text = _json_text(path)
    with _refusing(path):
        loaded = tvm.ir.load_json(text)
    if isinstance(loaded, relay.Function):
        with _refusing(path):
            loaded = tvm.IRModule.from_expr(loaded)
    main = _main_of(loaded) if isinstance(loaded, tvm.IRModule) else None
    if not isinstance(main, relay.Function):
        language = ".".join(type(main).__module__.split(".")[:2])
        what = type(loaded).__name__ if main is None else f"a main function of {language}"
        raise RequestError(f"{path} holds no Relay module with a function main, but {what}.")
    _check_names(path, main)
    with _refusing(path, _untyped(main)):
        module = relay.transform.InferType()(loaded)
    weights = _weights_beside(path, module["main"].params)
    parameters = [each for each in module["main"].params if each.name_hint not in weights]
    inputs = settle(path, [_of_relay(path, each) for each in parameters], asked, batch)
    with _refusing(path):
        return _with_shapes(module, inputs), weights


def _main_of(module: tvm.IRModule) -> Any:
    """Of whichever of TVM's languages; None if there is none."""
    return next((module[each] for each in module.get_global_vars() if each.name_hint == "main"), None)


def _check_names(path: Path, main: relay.Function) -> None:
    """Inputs and weights are set by their names."""
    counts = Counter(each.name_hint for each in main.params)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise RequestError(f"{path} has several inputs of the name {twice[0]}. Expected a name for each.")


def _untyped(main: relay.Function) -> str:
    import tvm

    names = [each.name_hint for each in main.params if not isinstance(each.type_annotation, tvm.ir.Type)]
    what = f"It has inputs without a type: {', '.join(names)}. "
    return f"{what}Expected relay.var(NAME, shape=SHAPE, dtype=DTYPE)." if names else ""


def _weights_beside(path: Path, parameters: Sequence[relay.Var]) -> dict[str, tvm.nd.NDArray]:
    """Of the file's name with the ending `.params`; none if there is no such file.

    Raises RequestError if it is another network's: no name is one of this network's, or a shape or dtype is not.
    """
    from tvm import relay, tir

    beside = path.with_suffix(".params")
    if not beside.is_file():
        return {}
    with _refusing(beside):
        weights = dict(relay.load_param_dict(beside.read_bytes()))
    kinds = {each.name_hint: each.checked_type for each in parameters}
    if weights and not set(weights) & set(kinds):
        raise RequestError(
            f"{beside} has no weight of {path}. It has {_some(weights)}; the network takes {_some(kinds) or 'none'}. "
            "Expected the weights by the network's own names, or no such file."
        )
    for name in set(weights) & set(kinds):
        kind, weight = kinds[name], weights[name]
        extents = [int(each) if isinstance(each, tir.IntImm) else None for each in getattr(kind, "shape", ())]
        fits = len(extents) == len(weight.shape) and all(
            extent in (None, given) for extent, given in zip(extents, weight.shape)
        )
        if not fits or weight.dtype != kind.dtype:
            raise RequestError(
                f"{beside}: its weight {name} is {shape_text(weight.shape)} {weight.dtype}, and {path} has it as "
                f"{kind}. Expected the weights of this network."
            )
    return weights


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join([*listed[:_NAMES_TOLD], *(["..."] if len(listed) > _NAMES_TOLD else [])])


def _of_relay(path: Path, parameter: relay.Var) -> DeclaredInput:
    import tvm
    from tvm import tir

    kind = parameter.type_annotation
    if isinstance(kind, tvm.ir.TupleType):
        raise RequestError(
            f"{path}: its input {parameter.name_hint} is a tuple. Expected tensors: make each of its "
            f"{len(kind.fields)} parts an input of its own."
        )
    if not isinstance(kind, tvm.ir.TensorType) or kind.dtype not in DTYPES:
        what = kind.dtype if isinstance(kind, tvm.ir.TensorType) else type(kind).__name__
        raise RequestError(
            f"{path}: its input {parameter.name_hint} is of the type {what}, for which there is no example to run it "
            f"on. Expected tensors of {', '.join(DTYPES)}."
        )
    extents = tuple(
        int(extent) if isinstance(extent, tir.IntImm) else getattr(extent, "name", "") for extent in kind.shape
    )
    if any(isinstance(extent, int) and extent < 1 for extent in extents):
        raise RequestError(
            f"{path}: its input {parameter.name_hint} is {' x '.join(map(str, extents))}. Expected extents of at least "
            "1; one that is open is relay.Any()."
        )
    return DeclaredInput(parameter.name_hint, extents, (kind.dtype,))


def _with_shapes(module: tvm.IRModule, inputs: Sequence[Input]) -> tvm.IRModule:
    """The module with the extents of its inputs that it left open."""
    from tvm import relay, tir

    shapes = {each.name: each.shape for each in inputs}
    bound: dict[relay.Var, relay.Expr] = {}
    parameters = []
    for parameter in module["main"].params:
        kind = parameter.type_annotation
        if parameter.name_hint in shapes and not all(isinstance(extent, tir.IntImm) for extent in kind.shape):
            bound[parameter] = relay.var(parameter.name_hint, shape=shapes[parameter.name_hint], dtype=kind.dtype)
        parameters.append(bound.get(parameter, parameter))
    return _with_main(module, parameters, bound) if bound else module


def _json_text(path: Path) -> str:
    """The text, once it is sure that TVM's own reader, which trusts it, finds what it expects."""
    text, content = files.json_of(path)
    if isinstance(content, dict) and "root_index" in content:
        raise RequestError(
            f"{path} is a Relax module, which TVM's MetaSchedule reads: name a Python with TVM 0.27 (--tuner "
            "metaschedule). Expected what tvm.ir.save_json of a TVM with Relay writes."
        )
    if not isinstance(content, dict) or not isinstance(content.get("nodes"), list) or "root" not in content:
        raise RequestError(f"{path} is no Relay module: it has no nodes. Expected what tvm.ir.save_json writes.")
    return text


def _load_onnx(path: Path, batch: int, asked: Sequence[AskedInput]) -> Loaded:
    from tvm import relay

    onnx = files.package("onnx", "onnx<1.19", path, _INSTEAD)
    with _refusing(path):
        model = onnx.load(str(path))
    declared = files.onnx_inputs(onnx, path, model)
    inputs = settle(path, declared, asked, batch)
    shapes = {each.name: each.shape for each in inputs}
    dtypes = {each.name: each.dtype for each in inputs}
    with _refusing(path):
        loaded: Loaded = relay.frontend.from_onnx(model, shapes, dtypes)
    return loaded


def _load_torchscript(path: Path, batch: int, asked: Sequence[AskedInput]) -> Loaded:
    from .torchscript import from_torchscript

    torch = files.package("torch", "torch", path, _INSTEAD)
    with _refusing(path, "Expected what torch.jit.save writes."):
        script = torch.jit.load(str(path), map_location="cpu").eval()
    expected = "Expected what torch.jit.trace makes; of torch.jit.script's TVM lacks some operators."
    loaded: Loaded = from_torchscript(script, path, asked, batch, lambda: _refusing(path, expected))
    return loaded


_LOADERS = {".json": _load_relay, ".onnx": _load_onnx, ".pt": _load_torchscript, ".pth": _load_torchscript}
_INSTEAD = "Relay JSON"
_ELSEWHERE = {
    ".pt2": "a network by torch.export, which TVM's MetaSchedule reads: name a Python with TVM 0.27 (--tuner "
    "metaschedule), or save it as TorchScript (torch.jit.trace), .onnx or Relay JSON."
}


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


@contextmanager
def _refusing(path: Path, expected: str = "") -> Iterator[None]:
    """Whatever a reader raises is about the file: there are as many kinds as readers."""
    from tvm.ir import diagnostics

    # TVM prints what is wrong with types, and raises only that something is.
    said: list[str] = []
    diagnostics.override_renderer(lambda context: said.extend(each.message for each in context.diagnostics))
    try:
        yield
    except Exception as error:
        what = " ".join(said[0].split()) if said else last_line(error)
        message = f"{path} is no network that TVM can take: {what.rstrip('.')}. {expected}"
        raise RequestError(message.rstrip()) from None
    finally:
        diagnostics.override_renderer(None)
