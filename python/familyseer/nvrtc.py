"""CUDA programs without CUDA's tool kit, and the GPUs there are.

TVM compiles CUDA by `nvcc` (tvm/contrib/nvcc.py), or, where that is not registered, by NVRTC for the GPU it finds.
After `register`, where there is no `nvcc`, it compiles by NVRTC for the target's arch; so neither the tool kit nor a
GPU is needed. NVRTC is the very library that libtvm.so names. It
is called by ctypes: the package for it (cuda-bindings) weighs 12 MB for the nine functions used here, and would have
to be in every user's own Python, in step with the CUDA of its TVM.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import tvm

from .tvm_names import nvcc
from .tvm_names import register as register_with_tvm

# Of CUDA 13; of CUDA 12 those for tensor cores, the C++ standard library, and all others.
_HEADER_WHEELS = ("nvidia.cu13", "nvidia.cuda_nvcc", "nvidia.cuda_cccl", "nvidia.cuda_runtime")
NVRTC_NAMES = ("libnvrtc.so.12", "libnvrtc.so.13", "libnvrtc.so.11.2", "libnvrtc.so")
NO_GPU = (
    "There is no GPU that this TVM can use. Expected one, and a TVM with CUDA: run `scripts/setup --cuda` and "
    "name its Python (.familyseer/tvm-0.18.0-cuda/venv/bin/python) by FAMILYSEER_TVM_PYTHON."
)


@functools.cache
def register() -> None:
    """Has TVM compile CUDA programs by NVRTC, in this process, where there is no `nvcc`. May be called again."""
    if shutil.which("nvcc") is None:
        register_with_tvm("tvm_callback_cuda_compile", _callback, override=True)


def gpu_count() -> int:
    """How many CUDA GPUs this TVM can use; 0 where it was built without CUDA."""
    return next(index for index in itertools.count() if not tvm.cuda(index).exist)


def compile_cubin(source: str, arch: str) -> bytearray:
    """CUDA source to machine code (an ELF file) for an arch such as `sm_70`.

    Raises RuntimeError with the compiler's log for what does not compile, or does not fit the arch (too much shared
    memory), and where there is no NVRTC.
    """
    library = _nvrtc()
    with _program(library, source) as program:
        options = [f"--gpu-architecture={arch}", *(f"--include-path={folder}" for folder in _include_folders())]
        encoded = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        if library.nvrtcCompileProgram(program, len(options), encoded) != 0:
            raise RuntimeError(f"NVRTC cannot compile this program for {arch}:\n{_log(library, program)}")
        size = ctypes.c_size_t()
        _check(library, library.nvrtcGetCUBINSize(program, ctypes.byref(size)))
        cubin = ctypes.create_string_buffer(size.value)
        _check(library, library.nvrtcGetCUBIN(program, cubin))
        return bytearray(cubin.raw)


def _callback(source: str, target: tvm.target.Target | None = None) -> bytearray:
    """TVM's `tvm_callback_cuda_compile`; TVM 0.8 gives no target, but has it as the current one."""
    return compile_cubin(source, "sm_" + nvcc.get_target_compute_version(target).replace(".", ""))


@contextlib.contextmanager
def _program(library: ctypes.CDLL, source: str) -> Iterator[ctypes.c_void_p]:
    program = ctypes.c_void_p()
    _check(library, library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"program.cu", 0, None, None))
    try:
        yield program
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def _log(library: ctypes.CDLL, program: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    _check(library, library.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
    log = ctypes.create_string_buffer(size.value)
    _check(library, library.nvrtcGetProgramLog(program, log))
    return log.value.decode(errors="replace")


def _check(library: ctypes.CDLL, status: int) -> None:
    if status != 0:
        library.nvrtcGetErrorString.restype = ctypes.c_char_p
        raise RuntimeError(f"NVRTC failed: {library.nvrtcGetErrorString(status).decode()}")


def _nvrtc() -> ctypes.CDLL:
    """The library that libtvm.so has loaded already, or the system's."""
    for name in NVRTC_NAMES:
        with contextlib.suppress(OSError):
            return ctypes.CDLL(name)
    raise RuntimeError(
        "There is neither nvcc nor NVRTC (libnvrtc.so) to compile CUDA programs with. "
        "Install CUDA's tool kit, or run `scripts/setup --cuda`."
    )


def _include_folders() -> list[Path]:
    """Where CUDA's headers are, which programs with half-precision numbers include, and from TVM 0.20 on all."""
    homes = [Path(os.environ.get("CUDA_HOME", "/usr/local/cuda"))]
    for name in _HEADER_WHEELS if importlib.util.find_spec("nvidia") else ():
        wheel = importlib.util.find_spec(name)
        if wheel and wheel.submodule_search_locations:
            homes.insert(0, Path(wheel.submodule_search_locations[0]))
    folders = [home / include for home in homes for include in ("include", "include/cccl")]
    return [folder for folder in folders if folder.is_dir()]
