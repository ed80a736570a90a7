"""Building one program: from what a tuner has of it to a library on disk (TVM: auto_scheduler/measure.py)."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from .. import nvrtc
from ..tvm_names import cc, ndk, tar
from .failures import WHILE_COMPILING, WHILE_INSTANTIATING, Failure, raised


@dataclass(frozen=True)
class Argument:
    """An argument of a program: what the runner has to allocate."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Compiled:
    """A program as TVM's compiler gives it: a module that can be exported as a library, and what it is called with."""

    module: Any
    arguments: tuple[Argument, ...]


Instantiate = Callable[[Any], Callable[[], Compiled]]
"""A tuner's function from a program's payload to what compiles it. Both raise whatever goes wrong."""


@dataclass(frozen=True)
class BuildRequest:
    """What a builder does: `instantiate(payload)()` compiles the program, `link` makes a library out of object files.

    All three are pickled; `instantiate` is a function of a module that the fork server has loaded (`preload`).
    """

    instantiate: Instantiate
    payload: Any
    link: Callable[..., Any]


@dataclass(frozen=True)
class Built:
    """`folder` holds the library alone, and is the receiver's to remove; seconds by the wall clock and on CPUs."""

    folder: str
    library: str
    arguments: tuple[Argument, ...]
    failure: Failure | None
    seconds: float
    cpu_seconds: float

    @property
    def path(self) -> str:
        return str(Path(self.folder, self.library))


def not_built(failure: Failure, seconds: float, cpu_seconds: float = 0.0) -> Built:
    """What is left of a program that failed."""
    return Built("", "", (), failure, seconds, cpu_seconds)


def link_here(output: str, objects: list[str], options: list[str] | None = None) -> None:
    """Links a shared library for this machine by the linker alone, several times as fast as through a compiler."""
    linker = shutil.which("ld")
    if linker is None or options or not all(name.endswith(".o") for name in objects):
        cc.create_shared(output, objects, options)
        return
    linked = subprocess.run(
        [linker, "-shared", "-o", output, *objects], capture_output=True, text=True, errors="replace"
    )
    if linked.returncode != 0:
        raise RuntimeError(f"The linker {linker} ended with {linked.returncode}:\n{linked.stderr.strip()}")


link_here.output_format = "so"  # type: ignore[attr-defined]


def link_function(build_func: str | Callable[..., Any], here: bool) -> Callable[..., Any]:
    """What TVM's LocalBuilder takes `build_func` for; the default for a device of this machine is `link_here`."""
    if callable(build_func):
        return build_func
    if build_func == "default":
        return link_here if here else tar.tar
    if build_func == "ndk":
        shared: Callable[..., Any] = ndk.create_shared
        return shared
    raise ValueError(f"Unknown build_func: {build_func}. Expected default, ndk or a function.")


def build(request: BuildRequest) -> Built:
    """Builds a program; what goes wrong with it is in the result."""
    nvrtc.register()
    begun, cpu_before = time.monotonic(), _cpu_seconds()
    folder, kind = "", WHILE_INSTANTIATING
    try:
        compile_it = request.instantiate(request.payload)
        kind = WHILE_COMPILING
        compiled = compile_it()
        folder = tempfile.mkdtemp()
        library = f"program.{request.link.output_format}"  # type: ignore[attr-defined]
        compiled.module.export_library(str(Path(folder, library)), fcompile=request.link)
    except Exception:
        failure = raised(kind)
        shutil.rmtree(folder, ignore_errors=True)
        return not_built(failure, time.monotonic() - begun, _cpu_seconds() - cpu_before)
    cpu_seconds = _cpu_seconds() - cpu_before
    return Built(folder, library, compiled.arguments, None, time.monotonic() - begun, cpu_seconds)


def _cpu_seconds() -> float:
    """Of this process and of those it started."""
    return sum(os.times()[:4])
