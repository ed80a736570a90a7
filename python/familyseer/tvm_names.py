"""What TVM's versions, 0.8 to 0.27, have under different names."""

from __future__ import annotations

from typing import Any

import tvm

try:
    from tvm.contrib import cc, ndk, nvcc, tar
except ImportError:
    from tvm.support import cc, ndk, nvcc, tar

__all__ = ["RANDOM_FILL", "array", "cc", "empty", "ndk", "nvcc", "register", "tar"]

_has_nd = hasattr(tvm, "nd")

# What the tuner's own runner fills arguments with (TVM: auto_scheduler/measure.py, meta_schedule/runner/).
RANDOM_FILL = "tvm.contrib.random.random_fill" + ("" if _has_nd else "_for_measure")

empty: Any = tvm.nd.empty if _has_nd else tvm.runtime.empty
"""Of a shape, a type and a device: an array."""

array: Any = tvm.nd.array if _has_nd else tvm.runtime.tensor
"""Of numpy's array and a device: a copy of it there."""

register: Any = tvm.register_func if hasattr(tvm, "register_func") else tvm.register_global_func
"""Of a name and a function: TVM finds it by that name; `override` where one has it."""
