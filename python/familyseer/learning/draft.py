"""A first guess of how fast programs are, by arithmetic alone: nothing was learnt, and nothing is measured.

It is for dropping hopeless candidates. What it counts are instructions and cache lines, store by store, from features
as TVM has them (src/auto_scheduler/feature.cc), so a program it thinks little of can be explained by a number.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..targets import CPU_KINDS
from .store_features import BUFFERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.float64]

# Floats in a vector register, and vector registers: AVX-512's. Half of either ranks about as well on a machine that has
# these, so that programs of a narrower one are ranked by the same numbers.
VECTOR_LANES = 16
VECTOR_REGISTERS = 32
# What a core's first and second cache hold at least, in bytes, and the cycles until a line comes from the next
# one, when others are under way: bandwidth, not latency.
FIRST_CACHE = 32e3
SECOND_CACHE = 1e6
LINE = 64
SECOND_CACHE_CYCLES = 4
BEYOND_CYCLES = 12
# Starting a parallel loop on TVM's threads: 5 us were seen, at 4 GHz.
LAUNCH_CYCLES = 20_000
# A division takes so many times the cycles of a multiplication, in any vector.
DIVISION = 8
# How far a loop without anything to tell it by goes; padding's innermost loop is over channels.
USUAL_EXTENT = 16
# The longest reduction that LLVM unrolls whole, and the shortest loop around it that it makes vectors of.
MOST_UNROLLED = 16
LEAST_AROUND = 4
# A GPU's: threads of a warp, warps that hide a processor's latencies, processors (a V100's, as in gpu_limits.py),
# and accumulators that a thread can hold in its 255 registers beside addresses and operands.
WARP = 32
HIDING_WARPS = 8
PROCESSORS = 80
THREAD_REGISTERS = 128


def draft_scores(
    features: Sequence[NDArray[Any]],
    columns: Mapping[str, int],
    target_kind: str,
    cores: int = 1,
    of_metaschedule: bool = False,
) -> Counts:
    """Scores of programs [programs]: minus the cycles each is guessed to take, so higher is faster; comparable only
    among programs of one task. -inf for a program without features: one that TVM could not lower.

    `features` [stores, n] of each program are logarithms, log2(1 + count), and flags; `columns` has the column of each
    by TVM's name. `target_kind` is `cuda` or another GPU's kind, or that of a CPU. `cores` is how many threads TVM runs
    a program on. With `of_metaschedule` counts what was seen of LLVM on MetaSchedule's programs (`_Stores`).
    """
    scores = np.full(len(features), -np.inf)
    known = [index for index, rows in enumerate(features) if np.any(rows)]
    if not known:
        return scores
    counts = [len(features[index]) for index in known]
    rows = np.concatenate([np.asarray(features[index], dtype=np.float64) for index in known])
    stores = _Stores(rows, columns, of_metaschedule)
    cycles = _cpu_cycles(stores, cores) if target_kind in CPU_KINDS else _gpu_cycles(stores)
    scores[known] = -np.add.reduceat(cycles, np.cumsum([0, *counts[:-1]]))
    return scores


class _Stores:
    """TVM's features of the stores of all programs, as the counts they were before TVM took logarithms."""

    def __init__(self, rows: Counts, columns: Mapping[str, int], of_metaschedule: bool) -> None:
        # A flag is the same on either scale.
        self._counts: Counts = np.rint(np.exp2(rows) - 1)
        self._columns = columns
        self.executions = self.of("outer_prod")
        self.used = self.of_buffers("bytes") > 0
        self.stride = self.of_buffers("stride")
        self.distance = self.of_buffers("reuse_dis_iter")
        # How often a loop reads again what it read before, `distance` iterations ago; 1 where none does.
        self.repeated = self.of_buffers("reuse_type.kLoopMultipleRead") > 0
        self.repeats = np.maximum(1, self.of_buffers("reuse_ct"))
        self.updated = self.of_buffers("acc_type.kReadWrite") > 0
        self.written = self.updated | (self.of_buffers("acc_type.kWrite") > 0)
        # How long the loop around a short reduction is, which LLVM makes vectors of once it has unrolled that; 0 where
        # it does not.
        self.around = self._around() if of_metaschedule else np.zeros_like(self.executions)

    def _around(self) -> Counts:
        """[stores]"""
        reduced = np.where(self.updated & (self.stride == 0) & (self.distance == 1), self.repeats, 0).max(0)
        repeated = ~self.written & self.repeated & (self.stride <= 1) & (self.distance == reduced)
        around = np.where(repeated & self.used, self.repeats, 0).max(0)
        unrolled = (reduced > 1) & (reduced <= MOST_UNROLLED) & (self.of("vec_len") <= 1)
        return np.where(unrolled & (around >= LEAST_AROUND), around, 0)

    def of(self, name: str) -> Counts:
        """[stores]"""
        column: Counts = self._counts[:, self._columns[name]]
        return column

    def of_buffers(self, name: str) -> Counts:
        """[buffers, stores]"""
        return np.stack([self.of(f"B{buffer}.{name}") for buffer in range(BUFFERS)])


def _cpu_cycles(stores: _Stores, cores: int) -> Counts:
    """[stores]. Arithmetic and accesses overlap; what waits for a cache does so on top."""
    lanes = _lanes(stores)
    tile = stores.distance / np.where(stores.stride == 0, 1, np.minimum(lanes, VECTOR_LANES))
    accesses = _accesses(stores, lanes, tile <= VECTOR_REGISTERS)
    cycles = np.maximum(_arithmetic(stores) / lanes, accesses) + _waits(stores)
    parallel = np.maximum(1, stores.of("parallel_prod"))
    # What is allocated inside a loop is computed inside it: only the outermost is started.
    launches = (stores.of("parallel_num") > 0) & (stores.of("alloc_outer_prod") <= 1)
    spread: Counts = cycles * np.ceil(parallel / cores) / parallel + LAUNCH_CYCLES * launches
    return spread


def _gpu_cycles(stores: _Stores) -> Counts:
    """[stores]. Threads do as a CPU's lanes do, but for those that a warp, a block or a processor leaves idle."""
    threads, blocks = (
        functools.reduce(np.multiply, (np.maximum(1, stores.of(f"{index}_{axis}_len")) for axis in "xyz"))
        for index in ("threadIdx", "blockIdx")
    )
    warps = np.ceil(threads / WARP)
    rounds = np.ceil(blocks / PROCESSORS)
    busy = threads / (warps * WARP) * blocks / (rounds * PROCESSORS) * np.minimum(1, warps * rounds / HIDING_WARPS)
    accesses = _accesses(stores, np.ones_like(threads), stores.distance <= THREAD_REGISTERS)
    return np.maximum(
        np.maximum(_arithmetic(stores), accesses) / (WARP * PROCESSORS * busy), _waits(stores) / PROCESSORS
    )


def _arithmetic(stores: _Stores) -> Counts:
    """Floating point operations [stores]; a multiplication and an addition are one. Those on integers are addresses,
    and mostly leave the loops."""
    multiplications = np.maximum(stores.of("float_addsub"), stores.of("float_mul"))
    comparisons = stores.of("float_cmp") / 2
    operations: Counts = (
        multiplications + comparisons + stores.of("float_mathfunc") + DIVISION * stores.of("float_divmod")
    )
    return operations


def _lanes(stores: _Stores) -> Counts:
    """Floats per instruction [stores]. A vector that is no whole number of registers takes a register for each power of
    two in the rest: 24 is 16 and 8, 15 is 8, 4, 2 and 1.

    LLVM makes vectors of the innermost loop itself if TVM did not, where it writes floats that lie side by side and
    strides over none.
    """
    annotated = stores.of("vec_len")
    contiguous = ((stores.stride == 1) & stores.written & stores.used).any(0) & (
        ~((stores.stride > 1) & stores.used).any(0)
    )
    length = np.where(annotated > 1, annotated, np.where(contiguous, _innermost_extent(stores), 1))
    length = np.where(stores.around > 0, stores.around, length).astype(np.int64)
    rest = length % VECTOR_LANES
    pieces = length // VECTOR_LANES + sum((rest >> bit) & 1 for bit in range(VECTOR_LANES.bit_length()))
    return length / pieces


def _innermost_extent(stores: _Stores) -> Counts:
    """[stores]. The innermost loop repeats what it has no stride over; the next ones repeat what lies that far back."""
    told = np.where(stores.stride == 0, stores.repeats, stores.distance)
    extent = np.where(stores.used & stores.repeated, told, np.inf).min(0)
    return np.where(np.isinf(extent), USUAL_EXTENT, np.maximum(1, extent))


def _accesses(stores: _Stores, lanes: Counts, held: NDArray[np.bool_]) -> Counts:
    """Loads and stores [stores]. `held` [buffers, stores]: registers hold what is repeated until it is. What strides is
    loaded one by one; what is updated is both loaded and stored."""
    strided = (stores.stride > 1) & (stores.around == 0)
    each = stores.executions / np.where(strided, 1, lanes) * np.where(stores.updated, 2, 1)
    accesses: Counts = (np.where(stores.repeated & held, each / stores.repeats, each) * stores.used).sum(0)
    return accesses


def _waits(stores: _Stores) -> Counts:
    """Cycles that lines take to come to the first cache [stores]: each once, and again where it fell out in between."""
    distance = stores.of_buffers("reuse_dis_bytes")
    lines = stores.of_buffers("bytes") / LINE
    once = stores.of_buffers("unique_lines")
    again = np.where(distance < FIRST_CACHE, lines / stores.repeats, lines)
    moved = np.maximum(once, np.where(stores.of_buffers("reuse_type.kNoReuse") > 0, once, again))
    cycles = np.where(distance < SECOND_CACHE, SECOND_CACHE_CYCLES, BEYOND_CYCLES)
    waited: Counts = (moved * cycles * stores.used).sum(0)
    return waited
