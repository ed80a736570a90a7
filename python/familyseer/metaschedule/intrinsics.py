"""TVM's tensor intrinsics, those that a target needs.

Whatever makes a TuneContext, or builds a program, imports `tvm.s_tir.tensor_intrin` (TVM 0.27:
s_tir/meta_schedule/tune_context.py, builder/local_builder.py). That parses the intrinsics of all targets, some 250
functions in TVMScript, for 7 to 19 seconds of a CPU, three quarters of them for tensor cores.
"""

from __future__ import annotations

import importlib
import importlib.util
import platform
import re
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tvm

_PACKAGE = "tvm.s_tir.tensor_intrin"
# By the start of an architecture's name, as LLVM and Python have it.
_OF_ARCHITECTURE = {
    "x86": "x86",
    "i686": "x86",
    "amd64": "x86",
    "aarch64": "arm_cpu",
    "arm": "arm_cpu",
    "riscv": "riscv_cpu",
}
# TVM searches for tensor cores from this architecture on (TVM: space_generator.cc).
_TENSOR_CORES = 75


def load(target: tvm.target.Target) -> None:
    """Makes TVM's own import of all intrinsics free in this process, and loads those that its search for a target uses.

    May be called again, also for other targets. Does nothing where all were imported already. Afterwards any module of
    the package can still be imported or taken from it as an attribute; `importlib.reload` of the package loads all.
    """
    stand_in()
    for module in modules(target):
        importlib.import_module(module)


def modules(target: tvm.target.Target) -> tuple[str, ...]:
    """The modules of TVM's whose intrinsics its search for a target uses."""
    kind = target.kind.name
    if kind == "llvm":
        architecture = str(target.attrs.get("mtriple") or platform.machine()).lower()
        names = [name for start, name in _OF_ARCHITECTURE.items() if architecture.startswith(start)]
    else:
        names = ["cuda"] if kind == "cuda" and _architecture(target) >= _TENSOR_CORES else []
    return tuple(f"{_PACKAGE}.{name}" for name in names)


def _architecture(target: tvm.target.Target) -> int:
    number = re.match(r"sm_(\d+)", str(target.attrs.get("arch")))
    return int(number[1]) if number else 0


def stand_in() -> None:
    """Puts the package in place without running it."""
    if _PACKAGE in sys.modules:
        return
    spec = importlib.util.find_spec(_PACKAGE)
    assert spec is not None
    package = importlib.util.module_from_spec(spec)
    package.__getattr__ = _submodule  # type: ignore[method-assign]
    sys.modules[_PACKAGE] = package
    parent, _dot, name = _PACKAGE.rpartition(".")
    setattr(sys.modules[parent], name, package)


def _submodule(name: str) -> ModuleType | Any:
    if not name.startswith("_") and importlib.util.find_spec(f"{_PACKAGE}.{name}") is not None:
        return importlib.import_module(f"{_PACKAGE}.{name}")
    raise AttributeError(f"module {_PACKAGE!r} has no attribute {name!r}")
