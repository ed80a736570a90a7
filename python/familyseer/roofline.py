"""The least time a task can take on a machine, from what it must compute and move (Williams et al., Roofline, 2009)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import tvm

# Of the small programs that find out what a machine does:
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
# Halves keep the sums of multiply-adds at one: no infinities, nothing subnormal.
OPERAND = 0.5

Axis = TypeVar("Axis")


@dataclass(frozen=True)
class Machine:
    """What TVM's threads can do at most on a device: a multiply-add is two FLOPs, bytes come from the first cache."""

    flops_per_second: float
    bytes_per_second: float


class Kernels(Protocol):
    """The small programs, as a tuner writes them. Each gives its operations per second, by the fastest of `REPEATS`
    runs on so many threads, with vectors of so many floats."""

    def multiply_adds(self, threads: int, lanes: int) -> float:
        """`ACCUMULATORS` vectors are multiplied by what registers hold, and it is added, `STEPS` times."""

    def reads(self, threads: int, lanes: int) -> float:
        """`rows` times `ACCUMULATORS` vectors are each added to one of as many, again and again, `STEPS` in all."""


def machine_of(kernels: Kernels, threads: int) -> Machine:
    """Runs for about a second, for which nothing else may use the timing CPUs."""
    flops = max(kernels.multiply_adds(threads, lanes) * 2 for lanes in LANES)
    floats = max(kernels.reads(threads, lanes) for lanes in LANES)
    return Machine(flops, floats * 4)


def rows(lanes: int) -> int:
    """How many rows of `ACCUMULATORS` vectors the first cache holds."""
    return RESIDENT_BYTES // (ACCUMULATORS * lanes * 4)


def least_seconds(flops: float, moved_bytes: int, machine: Machine) -> float:
    """The time below which no program of a task can get, in seconds: its FLOPs at the peak, or its inputs' and outputs'
    bytes at the bandwidth, whichever is longer. Where TVM could not count FLOPs (0 or less), the bytes alone."""
    return max(max(0.0, flops) / machine.flops_per_second, moved_bytes / machine.bytes_per_second)


def most_elements(shape: Sequence[int], used: Sequence[Collection[Axis]], extents: Mapping[Axis, float]) -> int:
    """How many elements of an array of a shape one access can read at most, whose indices depend on the axes `used`
    [dimensions]: an index has no more values than the loops it depends on."""
    elements: float = 1
    for extent, axes in zip(shape, used):
        elements *= min(extent, math.prod(extents[axis] for axis in axes))
    everything = {axis for axes in used for axis in axes}
    return int(min(elements, math.prod(extents[axis] for axis in everything)))


def is_this_cpu(target: tvm.target.Target) -> bool:
    """Whether code for the target is sure to run on this machine's CPU."""
    import tvm

    if target.kind.name != "llvm" or target.attrs.get("mattr"):
        return False
    # Some TVMs name the machine's own where none was asked for.
    if target.attrs.get("mtriple") not in (None, tvm.target.Target("llvm").attrs.get("mtriple")):
        return False
    cpu = str(target.attrs.get("mcpu", ""))
    this_cpu = tvm.get_global_func("target.llvm_get_system_cpu", allow_missing=True)
    return cpu in ("", "generic") or (this_cpu is not None and cpu == this_cpu())
