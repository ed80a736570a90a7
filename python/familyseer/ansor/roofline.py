"""The least time a task can take on a machine, from what it must compute and move (Williams et al., Roofline, 2009)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

import numpy as np
import tvm
from tvm import te

from ..measuring.cpus import tvm_threads

if TYPE_CHECKING:
    from tvm.auto_scheduler import ComputeDAG

# Independent accumulators: more than the latency of a multiply-add times those a core starts in a cycle, no more than
# SSE's and AVX's registers, and with as many operands no more than AVX-512's.
ACCUMULATORS = 14
# Floats in a vector register: SSE's, AVX's and AVX-512's.
LANES = (4, 8, 16)
# Bytes that every first cache holds.
RESIDENT_BYTES = 16_384
# Operations of each accumulator: milliseconds, so that starting threads does not count.
STEPS = 400_000
# So many that a neighbour on a shared machine does not have the CPU through all of them.
REPEATS = 40


@dataclass(frozen=True)
class Machine:
    """What TVM's threads can do at most on a device: a multiply-add is two FLOPs, bytes come from the first cache."""

    flops_per_second: float
    bytes_per_second: float


def least_seconds(dag: ComputeDAG, flops_per_second: float, bytes_per_second: float) -> float:
    """The time below which no program of a task can get, in seconds: its FLOPs at the peak, or its inputs' and outputs'
    bytes at the bandwidth, whichever is longer. Where TVM could not count FLOPs, the bytes alone.

    Inputs count as far as the task reads them, each element once.
    """
    return max(max(0.0, float(dag.flop_ct)) / flops_per_second, compulsory_bytes(dag) / bytes_per_second)


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
    if not _is_here(target):
        return None
    count = threads or tvm_threads()
    flops = max(_operations_per_second(_multiply_adds(count, lanes), target) * 2 for lanes in LANES)
    floats = max(_operations_per_second(_reads(count, lanes), target) for lanes in LANES)
    return Machine(flops, floats * 4)


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
    everything: set[tvm.tir.Var] = set()
    elements: float = 1
    for index, extent in zip(load.indices, load.producer.shape):
        used: set[tvm.tir.Var] = set()
        tvm.tir.stmt_functor.post_order_visit(
            index, lambda node, used=used: used.add(node) if node in extents else None
        )
        elements *= min(int(extent), math.prod(extents[var] for var in used))
        everything |= used
    return int(min(elements, math.prod(extents[var] for var in everything)))


def _is_here(target: tvm.target.Target) -> bool:
    """Whether code for the target is sure to run on this CPU."""
    if target.kind.name != "llvm" or target.attrs.get("mattr"):
        return False
    # Some TVMs name the machine's own where none was asked for.
    if target.attrs.get("mtriple") not in (None, tvm.target.Target("llvm").attrs.get("mtriple")):
        return False
    cpu = str(target.attrs.get("mcpu", ""))
    this_cpu = tvm.get_global_func("target.llvm_get_system_cpu", allow_missing=True)
    return cpu in ("", "generic") or (this_cpu is not None and cpu == this_cpu())


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
    rows = RESIDENT_BYTES // (ACCUMULATORS * lanes * 4)
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
    # Halves keep the sums of multiply-adds at one: no infinities, nothing subnormal.
    arrays = [
        tvm.nd.array(np.full([int(extent) for extent in tensor.shape], 0.5, tensor.dtype), device)
        for tensor in program.arguments
    ]
    timer = module.time_evaluator(module.entry_name, device, number=1, repeat=REPEATS)
    seconds: float = min(timer(*arrays).results)
    return program.operations / seconds
