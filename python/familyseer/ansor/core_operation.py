"""Which operation dominates a task, read from its compute DAG: stock TVM's task descriptions do not say it."""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING, Any

from ..core_operations import by, by_label, convolution_words, injective, pooling, stage_key

if TYPE_CHECKING:
    import tvm
    from tvm import auto_scheduler, te

_REDUCERS = {"add": "sum", "max": "max", "min": "min", "mul": "prod", "argmax": "argmax", "argmin": "argmin"}


def core_operation(dag: auto_scheduler.ComputeDAG) -> str | None:
    """The Relay name of the operation that dominates a DAG; None for a DAG that computes nothing."""
    operations = _compute_operations(dag)
    if not operations:
        return None
    found = by_label([_label(operation) for operation in operations])
    return found or _pooling(operations) or _reduction(operations) or _elementwise(operations)


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
        return f"{word} {by(output)}"
    if "conv2d" in word and len(main.input_tensors) == 2:
        data, kernel = (_extents(_before_padding(tensor)) for tensor in main.input_tensors)
        words = convolution_words(word, _label(main), data, kernel, _extents(main.output(0)))
        if words is not None:
            return words
    if operation in ("nn.dense", "nn.matmul"):
        return f"{word} {by(inputs[0])} -> {output[-1]}"
    if inputs and inputs[0] != output:
        return f"{word} {by(inputs[0])} -> {by(output)}"
    return f"{word} {by(output)}"


def tiled_stage(dag: auto_scheduler.ComputeDAG) -> str:
    """A key of what the stage computes that takes most of a DAG's time, and that TVM tiles (core_operations.py,
    `stage_key`); empty for a DAG that reduces nothing."""
    reducing = [operation for operation in _compute_operations(dag) if len(operation.reduce_axis) > 0]
    if not reducing:
        return ""
    operation = max(reducing, key=_iterations)
    source = operation.body[0].source[0]
    sharing = _sharing(source)
    windows = [_extent(axis) for axis in operation.reduce_axis if str(axis.var.name) in sharing]
    axes = [len(operation.axis), len(operation.reduce_axis)]
    return stage_key(str(source), axes, windows, f"{_reducer(operation)} {operation.output(0).dtype}")


def _iterations(operation: te.Operation) -> int:
    return prod(max(1, _extent(axis)) for axis in (*operation.axis, *operation.reduce_axis))


def _extent(axis: tvm.tir.IterVar) -> int:
    return int(axis.dom.extent) if hasattr(axis.dom.extent, "value") else -1


def _sharing(source: tvm.tir.PrimExpr) -> set[str]:
    """The variables that share an index with another, such as those over a kernel."""
    from tvm import tir

    loads = [node for node in _nodes(source) if isinstance(node, tir.ProducerLoad)]
    indices = (
        {str(node.name) for node in _nodes(index) if isinstance(node, tir.Var)}
        for load in loads
        for index in load.indices
    )
    return {name for names in indices if len(names) > 1 for name in names}


def _nodes(expression: tvm.tir.PrimExpr) -> list[Any]:
    from tvm import tir

    nodes: list[Any] = []
    tir.stmt_functor.post_order_visit(expression, nodes.append)
    return nodes


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
        found = pooling(_label(operation), len(operation.reduce_axis), _extents(operation.output(0)))
        if found is not None:
            return found
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
    return injective(operations[-1].name)


def _extents(tensor: te.Tensor) -> list[int]:
    return [int(extent) if hasattr(extent, "value") else -1 for extent in tensor.shape]
