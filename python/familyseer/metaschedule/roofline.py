"""What a task's function must compute and move at least, and the small programs that find out what a machine does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

import numpy as np
import tvm
from tvm import s_tir, te
from tvm_ffi import structural_walk

from .. import roofline
from ..measuring.cpus import tvm_threads
from ..roofline import ACCUMULATORS, OPERAND, REPEATS, STEPS
from .tvm_names import Block, Load, buffer_of

if TYPE_CHECKING:
    from .target import MetaTarget
    from .tasks import ExtractedTask


def least_seconds(tasks: Sequence[ExtractedTask], target: MetaTarget, threads: int | None) -> list[float] | None:
    """The times below which no program of each task can get [tasks], in seconds; None for a target that is not this
    CPU. `threads` as in `Question` (backend.py).

    Runs small programs for about a second, for which nothing else may use the timing CPUs.
    """
    if not roofline.is_this_cpu(target.tvm):
        return None
    machine = roofline.machine_of(Kernels(target.tvm), threads or tvm_threads())
    return [
        roofline.least_seconds(
            s_tir.analysis.estimate_tir_flops(task.module), compulsory_bytes(task.module["main"]), machine
        )
        for task in tasks
    ]


def compulsory_bytes(function: tvm.tirx.PrimFunc) -> int:
    """Bytes of the outputs, and of the elements of the inputs that are read, each once."""
    read: dict[Any, int] = {}
    written = set()
    for block in _leaves(function):
        # An extent may depend on another loop's variable (adaptive pooling); then the shape alone is the limit.
        extents = {
            axis.var: int(axis.dom.extent) if isinstance(axis.dom.extent, tvm.tirx.IntImm) else math.inf
            for axis in block.iter_vars
        }
        for load in _within(block.body, Load):
            buffer = buffer_of(load)
            read[buffer] = read.get(buffer, 0) + _most_elements(load, extents)
        written |= {store.buffer for store in _within(block.body, tvm.tirx.BufferStore)}
    total = 0
    for buffer in function.params:
        elements = math.prod(int(extent) for extent in buffer.shape)
        if buffer not in written:
            elements = min(elements, read.get(buffer, 0))
        total += elements * np.dtype(str(buffer.dtype)).itemsize
    return total


def _leaves(function: tvm.tirx.PrimFunc) -> list[Any]:
    """Its blocks that have none within; what is outside of them moves nothing."""
    blocks = _within(function.body, Block)
    return [each for each in blocks if not _within(each.body, Block)]


def _within(part: Any, kind: type) -> list[Any]:
    found: list[Any] = []
    structural_walk(part, (kind, found.append))
    return found


def _most_elements(load: Any, extents: dict[Any, float]) -> int:
    used = [{axis for axis in _within(index, tvm.tirx.Var) if axis in extents} for index in load.indices]
    return roofline.most_elements([int(extent) for extent in buffer_of(load).shape], used, extents)


@dataclass(frozen=True)
class Kernels:
    """See `roofline.Kernels`."""

    target: tvm.target.Target

    def multiply_adds(self, threads: int, lanes: int) -> float:
        step = te.reduce_axis((0, STEPS), "step")
        multiply_add = te.comm_reducer(lambda x, y: x * y + y, lambda dtype: tvm.tirx.const(0, dtype), "multiply_add")
        source = te.placeholder((ACCUMULATORS, lanes), name="source")
        return self._operations_per_second(source, threads, lambda u, v: multiply_add(source[u, v], axis=step), STEPS)

    def reads(self, threads: int, lanes: int) -> float:
        rows = roofline.rows(lanes)
        again, row = te.reduce_axis((0, STEPS // rows), "again"), te.reduce_axis((0, rows), "row")
        source = te.placeholder((rows, ACCUMULATORS, lanes), name="source")
        steps = STEPS // rows * rows
        return self._operations_per_second(
            source, threads, lambda u, v: te.sum(source[row, u, v], axis=[again, row]), steps
        )

    def _operations_per_second(
        self, source: te.Tensor, threads: int, value: Callable[[Any, Any], Any], steps: int
    ) -> float:
        """Of `value` of every accumulator and lane, kept in registers over the reduction axes, on each thread."""
        lanes = int(source.shape[-1])
        result = te.compute((threads, ACCUMULATORS, lanes), lambda _, u, v: value(u, v), name="result")
        module = tvm.compile(_scheduled(te.create_prim_func([source, result])), self.target).jit()
        device = tvm.cpu()
        arrays = [
            tvm.runtime.tensor(np.full([int(extent) for extent in tensor.shape], OPERAND, "float32"), device)
            for tensor in (source, result)
        ]
        timer = module.time_evaluator("main", device, number=1, repeat=REPEATS)
        seconds: float = min(timer(*arrays).results)
        return threads * ACCUMULATORS * lanes * steps / seconds


def _scheduled(function: tvm.tirx.PrimFunc) -> tvm.IRModule:
    schedule = s_tir.Schedule(function)
    registers = schedule.get_sblock("result")
    stored = schedule.cache_write(registers, 0, "local")
    thread, accumulator, lane, *steps = schedule.get_loops(registers)
    schedule.reorder(thread, *steps, accumulator, lane)
    schedule.reverse_compute_at(stored, thread)
    schedule.parallel(thread)
    for block in (registers, stored):
        *_, accumulator, lane = schedule.get_loops(block)
        schedule.unroll(accumulator)
        schedule.vectorize(lane)
    schedule.decompose_reduction(registers, steps[0])
    return schedule.mod
