"""What TVM 0.26 and 0.27 have under different names; what all versions have, ../tvm_names.py has."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import s_tir, tirx

Block: Any = s_tir.SBlock if hasattr(s_tir, "SBlock") else tirx.SBlock
Load: Any = tvm.ir.TensorLoad if hasattr(tvm.ir, "TensorLoad") else tirx.BufferLoad


def buffer_of(access: Any) -> Any:
    """The buffer that a region or a load is of."""
    return access.source if hasattr(access, "source") else access.buffer
