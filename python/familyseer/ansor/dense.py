"""Dense layers that TVM can tune on CPUs, and compile with what was tuned.

TVM 0.15 to 0.19 name the axes of a dense layer `i0` and `i1` (python/tvm/topi/nn/dense.py, whose compute takes
`*indices`), and spell its weights' layout by them, as in `1000i1 16k`. What reads that again takes the digit for an
extent (src/auto_scheduler/utils.h, ParseKernelLayout), so that no program of a dense layer can be lowered: "Check
failed: (name_it != name_to_arg.end())". Compiling with the rewritten weights then fails in another place, on
`len(tensor_b).shape`. Up to 0.14 the axes were `i` and `j`, and all was well. Here they are again; so the workload keys
of dense layers are not those of the unmended TVM, which has no use for them.

A batch matmul with weights of batch 1, as PyTorch's linear layers on sequences become, reads them at the index 0. Where
weights lie in another layout, TVM 0.18's indexing takes no plain numbers ("The indices must be expression"), so that
such a network could be tuned but not compiled with its records. Here it takes them.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from types import ModuleType
from typing import Any, Callable

# What the error of a program of an unmended dense layer holds.
FAULT = "name_it != name_to_arg.end()"


def mend_dense() -> None:
    """Mends TVM's dense layers. Call it before tasks are extracted, and before a network is compiled with their
    records. A TVM that needs no mending is left as it is."""
    _take_plain_indices()
    # The package has a function of the module's name.
    dense: Any = importlib.import_module("tvm.topi.nn.dense")
    source = inspect.getsource(dense.matmul)
    # Of a tree with patches/0.18.0/dense.patch, two axes are named.
    if isinstance(dense.te, _NamingAxes) or "*indices" not in source or "lambda i, j" in source:
        return
    dense.te = _NamingAxes(dense.te)
    package: Any = importlib.import_module("tvm.topi.nn")
    dense.matmul = package.matmul = _mended(dense.matmul)


def _take_plain_indices() -> None:
    integration: Any = importlib.import_module("tvm.auto_scheduler.relay_integration")
    unchecked = integration.tensor_no_check_call
    if hasattr(unchecked, "__wrapped__"):
        return
    from tvm import tir

    @functools.wraps(unchecked)
    def mended(tensor: Any, *indices: Any) -> Any:
        return unchecked(tensor, *(tir.const(each, "int32") if isinstance(each, int) else each for each in indices))

    integration.tensor_no_check_call = mended


class _NamingAxes(ModuleType):
    """`tvm.te` for topi's dense layers: two axes that were not named are `i` and `j`."""

    def __init__(self, te: ModuleType) -> None:
        super().__init__(te.__name__)
        self._te = te

    def __getattr__(self, name: str) -> Any:
        return getattr(self._te, name)

    def compute(self, shape: tuple[Any, ...], fcompute: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        named = (lambda i, j: fcompute(i, j)) if len(shape) == 2 and _takes_any(fcompute) else fcompute
        return self._te.compute(shape, named, *args, **kwargs)


def _takes_any(function: Callable[..., Any]) -> bool:
    return inspect.getfullargspec(function).varargs is not None


def _mended(matmul: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(matmul)

    @functools.wraps(matmul)
    def mended(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        asked = given.arguments
        if not asked["auto_scheduler_rewritten_layout"]:
            return matmul(*args, **kwargs)
        product = _of_rewritten_weights(
            asked["tensor_a"],
            asked["tensor_b"],
            asked["out_dtype"] or asked["tensor_a"].dtype,
            asked["transpose_a"],
            asked["transpose_b"],
            asked["auto_scheduler_rewritten_layout"],
        )
        return product if asked["bias"] is None else importlib.import_module("tvm.topi").add(product, asked["bias"])

    return mended


def _of_rewritten_weights(a: Any, b: Any, dtype: str, transpose_a: bool, transpose_b: bool, layout: str) -> Any:
    """The product with weights `b` that lie in another layout, as TVM made it up to 0.14; name and tag are TVM's."""
    from tvm import auto_scheduler, te

    columns, depth = auto_scheduler.get_shape_from_rewritten_layout(layout, ["j", "k"])
    auto_scheduler.remove_index_check(b)
    rows = a.shape[1 if transpose_a else 0]
    k = te.reduce_axis((0, depth), name="k")

    def element(i: Any, j: Any) -> Any:
        left = a[k, i] if transpose_a else a[i, k]
        right = b[j, k] if transpose_b else b[k, j]
        return te.sum(left.astype(dtype) * right.astype(dtype), axis=k)

    kind = f"{'T' if transpose_a else 'N'}{'T' if transpose_b else 'N'}"
    product = te.compute(
        (rows, columns),
        element,
        name=f"T_matmul_{kind}",
        tag="dense" if kind == "NT" else "matmul",
        attrs={"layout_free_placeholders": [b]},
    )
    return auto_scheduler.rewrite_compute_body(product, layout)
