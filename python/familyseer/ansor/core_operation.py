"""Which operation dominates a task, read from its compute DAG: stock TVM's task descriptions do not say it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tvm import auto_scheduler, te

# What TOPI names or tags an operation, and what Relay calls it; the first line that any operation of the DAG matches
# counts. The order is: what is a special case of something further down comes first.
_PATTERNS = (
    (r"winograd", "nn.conv2d_winograd"),
    (r"conv(\d)d_transpose|conv(\d)d_backward_input", "nn.conv{}d_transpose"),
    (r"deformable_conv2d", "nn.deformable_conv2d"),
    (r"depthwise_?conv(\d)d", "nn.depthwise_conv{}d"),
    (r"group_conv(\d)d", "nn.group_conv{}d"),
    (r"conv(\d)d", "nn.conv{}d"),
    (r"batch_matmul", "nn.batch_matmul"),
    (r"sparse_dense", "nn.sparse_dense"),
    (r"\bdense", "nn.dense"),
    (r"matmul", "nn.matmul"),
    (r"log_softmax", "nn.log_softmax"),
    (r"softmax", "nn.softmax"),
)
_REDUCERS = {"add": "sum", "max": "max", "min": "min", "mul": "prod", "argmax": "argmax", "argmin": "argmin"}
_INJECTIVE = (("layout_trans", "layout_transform"), ("concat", "concatenate"), ("resize", "image.resize2d"))


def core_operation(dag: auto_scheduler.ComputeDAG) -> str | None:
    """The Relay name of the operation that dominates a DAG; None for a DAG that computes nothing."""
    operations = _compute_operations(dag)
    if not operations:
        return None
    # A transposed convolution is a dilated input convolved; only its dilation tells it from a plain one.
    dilated = any("dilate" in _label(operation) for operation in operations)
    for pattern, name in _PATTERNS:
        for operation in operations:
            match = re.search(pattern, _label(operation), re.IGNORECASE)
            if match:
                dimensions = next((group for group in match.groups() if group), "2")
                transposed = dilated and "conv" in name and "transpose" not in name
                return ("nn.conv{}d_transpose" if transposed else name).format(dimensions)
    return _pooling(operations) or _reduction(operations) or _elementwise(operations)


def task_words(dag: auto_scheduler.ComputeDAG) -> str:
    """The task in words for people, e.g. `conv2d 1x1 56x56x72 -> 12` (kernel, height x width x channels in, out)."""
    operation = core_operation(dag)
    if operation is None:
        return "nothing"
    word = operation.replace("nn.", "", 1)
    inputs = [tuple(_extents(o.output(0))) for o in dag.ops if not hasattr(o, "body")]
    output = tuple(_extents(dag.ops[-1].output(0)))
    main = _main_operation(_compute_operations(dag))
    if main is None:
        return f"{word} {_by(output)}"
    label = _label(main).lower()
    layout = "nhwc" if "nhwc" in label else "NCHWc" if "nchwc" in label else "nchw" if "nchw" in label else None
    if "conv2d" in word and layout is not None and len(main.input_tensors) == 2:
        data, kernel = (_extents(_before_padding(tensor)) for tensor in main.input_tensors)
        spatial = {"nhwc": data[1:4], "nchw": [*data[2:4], data[1]], "NCHWc": [*data[2:4], data[1] * data[-1]]}[layout]
        size = kernel[0:2] if layout == "nhwc" else kernel[2:4]
        made = _extents(main.output(0))
        channels = {"nhwc": made[-1], "nchw": made[1], "NCHWc": made[1] * made[-1]}[layout]
        if "depthwise" in word:
            return f"{word} {_by(size)} {_by(spatial)}"
        return f"{word} {_by(size)} {_by(spatial)} -> {channels}"
    if operation in ("nn.dense", "nn.matmul"):
        return f"{word} {_by(inputs[0])} -> {output[-1]}"
    if inputs and inputs[0] != output:
        return f"{word} {_by(inputs[0])} -> {_by(output)}"
    return f"{word} {_by(output)}"


def _compute_operations(dag: auto_scheduler.ComputeDAG) -> list[te.Operation]:
    return [operation for operation in dag.ops if hasattr(operation, "body")]


def _main_operation(operations: list[te.Operation]) -> te.Operation | None:
    reducing = [operation for operation in operations if len(operation.reduce_axis) > 0]
    return reducing[0] if reducing else None


def _before_padding(tensor: te.Tensor) -> te.Tensor:
    while "pad" in f"{tensor.op.tag} {tensor.op.name}".lower() and len(tensor.op.input_tensors) == 1:
        tensor = tensor.op.input_tensors[0]
    return tensor


def _label(operation: te.Operation) -> str:
    return f"{operation.tag} {operation.name}"


def _pooling(operations: list[te.Operation]) -> str | None:
    for operation in operations:
        match = re.search(r"(adaptive_)?pool(?:_grad)?_(max|sum)", _label(operation))
        if match:
            spatial = len(operation.reduce_axis)
            kind = "max" if match.group(2) == "max" else "avg"
            if not match.group(1):
                return f"nn.{kind}_pool{spatial}d"
            # The DAG of a global pooling is an adaptive one's to 1 x 1; one extent in the shape is the batch's own.
            ones = sum(1 for extent in _extents(operation.output(0))[1:] if extent == 1)
            return f"nn.{'global' if ones >= spatial else 'adaptive'}_{kind}_pool{spatial}d"
    return None


def _reduction(operations: list[te.Operation]) -> str | None:
    reducing = [operation for operation in operations if len(operation.reduce_axis) > 0]
    if not reducing:
        return None
    name = _REDUCERS.get(_reducer(reducing[-1]), "reduce")
    after = operations[operations.index(reducing[-1]) + 1 :]
    return "mean" if name == "sum" and any("divide" in operation.name for operation in after[:1]) else name


def _reducer(operation: te.Operation) -> str:
    """The name of the function a reduction folds with, from its combiner."""
    reduce = operation.body[0]
    results = reduce.combiner.result
    if len(results) > 1:
        return "argmax" if ">" in str(results[1]) else "argmin"
    return type(results[0]).__name__.lower()


def _elementwise(operations: list[te.Operation]) -> str:
    if any(re.search("elemwise|broadcast", operation.tag) for operation in operations):
        return "elementwise"
    last = operations[-1].name.lower()
    return next((name for part, name in _INJECTIVE if part in last), "injective")


def _extents(tensor: te.Tensor) -> list[int]:
    return [int(extent) if hasattr(extent, "value") else -1 for extent in tensor.shape]


def _by(extents: tuple[int, ...] | list[int]) -> str:
    return "x".join(str(extent) for extent in extents) or "scalar"
