"""For scripts of users' own: CUDA programs without CUDA's tool kit (docs/cuda.md).

Importing this module registers NVRTC with TVM, as importing TVM's own `tvm.contrib.nvcc` registers `nvcc`. That is
promised to users, and the only way to reach the processes that TVM's LocalBuilder starts: they import this module to
find `export`. All else calls `nvrtc.register`.
"""

from __future__ import annotations

from .nvrtc import NO_GPU, compile_cubin, gpu_count, register
from .tvm_names import tar

__all__ = ["NO_GPU", "compile_cubin", "export", "gpu_count", "register"]

register()


def export(path: str, objects: list[str], **options: object) -> None:
    """What TVM's LocalBuilder packs a program with by default, as a `build_func` of ours."""
    tar.tar(path, objects, **options)


# Where TVM looks for it.
export.output_format = "tar"  # type: ignore[attr-defined]
