"""Building one program: from a measure input to a library on disk (TVM: auto_scheduler/measure.py)."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from tvm import build as tvm_build
from tvm import transform
from tvm.auto_scheduler.measure import MeasureErrorNo, MeasureInput
from tvm.contrib import cc, ndk, tar
from tvm.target import Target

from .. import cuda as _compile_without_nvcc  # noqa: F401
from ..errors import MESSAGE_LENGTH


@dataclass(frozen=True)
class Argument:
    """An argument of a program: what the runner has to allocate."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class BuildRequest:
    """`serialized` is what `MeasureInput.serialize` gives; `link` makes the library out of object files."""

    serialized: Any
    link: Callable[..., Any]


@dataclass(frozen=True)
class Built:
    """`folder` holds the library alone, and is the receiver's to remove; seconds by the wall clock and on CPUs."""

    folder: str
    library: str
    arguments: tuple[Argument, ...]
    error_no: int
    error_msg: str | None
    seconds: float
    cpu_seconds: float


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


link_here.output_format = "so"


def link_function(build_func: str | Callable[..., Any], here: bool) -> Callable[..., Any]:
    """What TVM's LocalBuilder takes `build_func` for; the default for a device of this machine is `link_here`."""
    if callable(build_func):
        return build_func
    if build_func == "default":
        return link_here if here else tar.tar
    if build_func == "ndk":
        return ndk.create_shared
    raise ValueError(f"Unknown build_func: {build_func}. Expected default, ndk or a function.")


def build(request: BuildRequest) -> Built:
    """Builds a program; what goes wrong with it is in the result."""
    begun, cpu_before = time.monotonic(), _cpu_seconds()
    folder, library, arguments = "", "", ()
    error_no, error_msg = MeasureErrorNo.INSTANTIATION_ERROR, None
    try:
        one = MeasureInput.deserialize(request.serialized)
        task = one.task
        target = task.target if task.target_host is None else Target(task.target, task.target_host)
        schedule, tensors = task.compute_dag.apply_steps_from_state(
            one.state, layout_rewrite=task.layout_rewrite_option
        )
        error_no = MeasureErrorNo.COMPILE_HOST
        with transform.PassContext().current():
            module = tvm_build(schedule, tensors, target=target)
        folder = tempfile.mkdtemp()
        library = f"program.{request.link.output_format}"
        module.export_library(str(Path(folder, library)), fcompile=request.link)
        arguments = tuple(Argument(tuple(int(extent) for extent in each.shape), each.dtype) for each in tensors)
        error_no = MeasureErrorNo.NO_ERROR
    except Exception:
        error_msg = traceback.format_exc().strip()[-MESSAGE_LENGTH:]
        shutil.rmtree(folder, ignore_errors=True)
    cpu_seconds = _cpu_seconds() - cpu_before
    return Built(folder, library, arguments, error_no, error_msg, time.monotonic() - begun, cpu_seconds)


def _cpu_seconds() -> float:
    """Of this process and of those it started."""
    return sum(os.times()[:4])
