"""A network in Relax as functions of TIR: what tasks are found in, and what their programs are applied to.

Both have to lower alike, since a database finds a function's programs by its structure.
"""

from __future__ import annotations

import tvm
from tvm import relax


def lower(module: tvm.IRModule, target: tvm.target.Target) -> tvm.IRModule:
    """Operators that are there for training decomposed, the rest made TIR and fused, as `compile_relax` does.

    TVM: python/tvm/relax/pipeline.py, `static_shape_tuning_pipeline` and `zero_pipeline`.
    """
    passes = [
        relax.transform.DecomposeOpsForInference(),
        relax.transform.CanonicalizeBindings(),
        relax.get_pipeline("zero"),
    ]
    with target:
        return tvm.transform.Sequential(passes)(module)
