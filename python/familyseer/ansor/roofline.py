"""What a task of the auto-scheduler must compute and move at least, and the small programs that find out what this
machine does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

import numpy as np
import tvm
from tvm import te

from .. import roofline
from ..measuring.cpus import tvm_threads
from ..roofline import ACCUMULATORS, OPERAND, REPEATS, STEPS, Machine

if TYPE_CHECKING:
    from tvm.auto_scheduler import ComputeDAG


def least_seconds(dag: ComputeDAG, machine: Machine) -> float:
    """The time below which no program of a task can get, in seconds.

    Inputs count as far as the task reads them, each element once.
    """
    return roofline.least_seconds(float(dag.flop_ct), compulsory_bytes(dag), machine)


def compulsory_bytes(dag: ComputeDAG) -> int:
    """Bytes of the outputs, and of the elements of the inputs that are read."""
    read: dict[te.Operation, int] = {}
    for operation in dag.ops:
        if isinstance(operation, te.ComputeOp):
            for load in _loads(operation):
                read[load.producer.op] = read.get(load.producer.op, 0) + _most_elements(load, operation)
    total = 0
    for tensor in dag.tensors:
        elements = math.prod(int(extent) for extent in tensor.shape)
        if isinstance(tensor.op, te.PlaceholderOp):
            elements = min(elements, read.get(tensor.op, 0))
        total += elements * np.dtype(tensor.dtype).itemsize
    return total


def measure_machine(target: tvm.target.Target, threads: int | None = None) -> Machine | None:
    """What this machine's CPU does with programs built for a target, on as many threads as the calling one
    has TVM run programs on; None: as TVM chooses by itself.

    Runs small programs for about a second, for which nothing else may use the timing CPUs. None for a target that
    is not this CPU: a GPU, or a CPU of another name.
    """
    if not roofline.is_this_cpu(target):
        return None
    return roofline.machine_of(_Kernels(target), threads or tvm_threads())


def _loads(operation: te.ComputeOp) -> list[tvm.tir.ProducerLoad]:
    found: list[tvm.tir.ProducerLoad] = []

    def collect(node: object) -> None:
        if isinstance(node, tvm.tir.ProducerLoad):
            found.append(node)

    for value in operation.body:
        tvm.tir.stmt_functor.post_order_visit(value, collect)
    return found


def _most_elements(load: tvm.tir.ProducerLoad, operation: te.ComputeOp) -> int:
    """How many elements one access can read at most: an index has no more values than the loops it depends on."""
    # An extent may depend on another loop's variable (adaptive pooling); then the shape alone is the limit.
    extents = {
        axis.var: int(axis.dom.extent) if isinstance(axis.dom.extent, tvm.tir.IntImm) else math.inf
        for axis in [*operation.axis, *operation.reduce_axis]
    }
    used: list[set[tvm.tir.Var]] = []
    for index in load.indices:
        axes: set[tvm.tir.Var] = set()
        tvm.tir.stmt_functor.post_order_visit(
            index, lambda node, axes=axes: axes.add(node) if node in extents else None
        )
        used.append(axes)
    return roofline.most_elements([int(extent) for extent in load.producer.shape], used, extents)


@dataclass(frozen=True)
class _Kernels:
    target: tvm.target.Target

    def multiply_adds(self, threads: int, lanes: int) -> float:
        return _operations_per_second(_multiply_adds(threads, lanes), self.target)

    def reads(self, threads: int, lanes: int) -> float:
        return _operations_per_second(_reads(threads, lanes), self.target)


@dataclass(frozen=True)
class _Program:
    """A scheduled program, its arguments, and the operations it does in all."""

    schedule: te.Schedule
    arguments: list[te.Tensor]
    operations: int


def _multiply_adds(threads: int, lanes: int) -> _Program:
    """Accumulators that are multiplied and added to what registers hold."""
    step = te.reduce_axis((0, STEPS), "step")
    multiply_add = te.comm_reducer(lambda x, y: x * y + y, lambda dtype: tvm.tir.const(0, dtype), name="multiply_add")
    source = te.placeholder((ACCUMULATORS, lanes), name="source")
    return _accumulated(source, threads, lanes, [step], lambda u, v: multiply_add(source[u, v], axis=step))


def _reads(threads: int, lanes: int) -> _Program:
    """Accumulators that everything in a small array is added to, again and again."""
    rows = roofline.rows(lanes)
    again, row = te.reduce_axis((0, STEPS // rows), "again"), te.reduce_axis((0, rows), "row")
    source = te.placeholder((rows, ACCUMULATORS, lanes), name="source")
    return _accumulated(source, threads, lanes, [again, row], lambda u, v: te.sum(source[row, u, v], axis=[again, row]))


def _accumulated(
    source: te.Tensor,
    threads: int,
    lanes: int,
    axes: list[tvm.tir.IterVar],
    value: Callable[[tvm.tir.Var, tvm.tir.Var], object],
) -> _Program:
    """`value` of every accumulator and lane, kept in registers over the reduction axes, on each thread."""
    result = te.compute((threads, ACCUMULATORS, lanes), lambda _, u, v: value(u, v), name="result")
    schedule = te.create_schedule(result.op)
    registers = schedule.cache_write(result, "local")
    thread, _, lane = result.op.axis
    schedule[result].parallel(thread)
    schedule[result].vectorize(lane)
    schedule[registers].compute_at(schedule[result], thread)
    _, accumulator, lane = registers.op.axis
    schedule[registers].reorder(*registers.op.reduce_axis, accumulator, lane)
    schedule[registers].unroll(accumulator)
    schedule[registers].vectorize(lane)
    steps = math.prod(int(axis.dom.extent) for axis in axes)
    return _Program(schedule, [source, result], threads * ACCUMULATORS * lanes * steps)


def _operations_per_second(program: _Program, target: tvm.target.Target) -> float:
    """By the fastest of many runs."""
    device = tvm.cpu()
    module = tvm.build(program.schedule, program.arguments, target)
    arrays = [
        tvm.nd.array(np.full([int(extent) for extent in tensor.shape], OPERAND, tensor.dtype), device)
        for tensor in program.arguments
    ]
    timer = module.time_evaluator(module.entry_name, device, number=1, repeat=REPEATS)
    seconds: float = min(timer(*arrays).results)
    return program.operations / seconds
