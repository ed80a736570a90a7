"""A simulated NVIDIA V100: the seconds a program would take, by arithmetic, where there is no GPU to run it on.

It is for experiments on schedulers and searches alone. Nothing here was measured, and nothing that comes from it may
stand for a measurement: its targets, and so its records, name the model `simulated-v100`, and what measures and what
compiles refuses them (docs/simulated-gpu.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

from .program import WARP, Access, Kernel, Loop, Statement, read_kernels

DEVICE = "simulated V100"


@dataclass(frozen=True)
class Gpu:
    """A V100 by its data sheet (NVIDIA, Tesla V100 GPU Architecture, 2017): 15.7 TFLOPS are 5,120 lanes, a multiply-add
    each, at 1.53 GHz. Of a processor, per cycle: warps' instructions that are issued, computed, and computed by the
    units for functions; bytes of shared memory are a request of a warp. Bytes per second are of the whole chip."""

    processors: int = 80
    clock: float = 1.53e9
    blocks: int = 32
    threads: int = 2048
    registers: int = 65536
    shared_bytes: int = 96 * 1024
    cache_bytes: int = 128 * 1024
    issued: float = 4
    computed: float = 2
    functions: float = 0.5
    second_cache_bytes: float = 6e6
    second_cache_bandwidth: float = 2.1e12
    memory_bandwidth: float = 900e9


@dataclass(frozen=True)
class Constants:
    """What no data sheet says; latencies are in cycles.

    Launch, synchronisation, address share, and the latencies of memory, shared memory and arithmetic were fitted on the
    published records of two networks and tried on those of four others (docs/results/simulated-gpu.md). They stand for
    whatever the model leaves out, too, and not for what a manual calls by these names.
    """

    launch_seconds: float = 1.5e-6
    memory_latency: float = 110
    memory_at_once: float = 8
    # From one filling of shared memory to the next, beside the loads.
    synchronisation: float = 930
    shared_latency: float = 13.6
    shared_at_once: float = 8
    arithmetic_latency: float = 2.7
    # Of address arithmetic, what does not fold into constants or leave the loops.
    address_share: float = 0.27
    loop_instructions: float = 3
    free_unroll: float = 64
    operand_registers: float = 64
    bytes_per_cycle: float = 40
    memory_share: float = 0.85
    function_instructions: float = 8
    base_registers: float = 24


V100 = Gpu()
FITTED = Constants()


class SimulatedProgram(Protocol):
    """What a tuner brings of a program to simulate."""

    def lowered(self) -> Any:
        """TVM's IRModule of its loops, before anything is unrolled; raises what TVM does where it cannot lower it."""

    def refusal(self) -> str | None:
        """Why no such GPU runs it, as far as the tuner finds that; None: it finds nothing."""


class InvalidProgramError(ValueError):
    """A program that no such GPU runs; says why."""


def simulated_seconds(program: SimulatedProgram) -> float:
    """The time a program takes on the simulated V100; the same for the same program.

    Raises InvalidProgramError for one that would not run, TVMError where TVM cannot lower it.
    """
    kernels = read_kernels(program.lowered())
    if not kernels:
        raise InvalidProgramError("Part of this program is bound to no threads.")
    refusal = program.refusal()
    if refusal is not None:
        raise InvalidProgramError(refusal)
    return kernels_seconds(kernels)


def kernels_seconds(kernels: list[Kernel], constants: Constants = FITTED) -> float:
    """The time of launches one after another."""
    return sum(_kernel_seconds(kernel, V100, constants) for kernel in kernels)


@dataclass
class _Work:
    """What a thread does (instructions, cycles of latency) or a block (requests, bytes)."""

    arithmetic: float = 0.0
    functions: float = 0.0
    others: float = 0.0
    shared_requests: float = 0.0
    sectors: float = 0.0
    block_bytes: float = 0.0
    waits: float = 0.0

    @property
    def instructions(self) -> float:
        return self.arithmetic + self.functions + self.others


def _kernel_seconds(kernel: Kernel, gpu: Gpu, constants: Constants) -> float:
    work = _Work()
    for statement in kernel.statements:
        _add(work, statement, constants)
    warps = math.ceil(kernel.threads / WARP)
    resident = _resident_blocks(kernel, gpu, constants)
    traffic = _second_cache_bytes(kernel, work, resident, gpu)
    throughput = max(
        warps * work.instructions / gpu.issued,
        warps * work.arithmetic / gpu.computed,
        warps * work.functions / gpu.functions,
        work.shared_requests,
        traffic / constants.bytes_per_cycle,
    )
    waits = work.waits + kernel.phases * constants.synchronisation
    # A scheduler issues one instruction of a warp per cycle at most.
    latency = waits + work.instructions * max(1, warps / gpu.issued)
    blocks = math.ceil(kernel.blocks / gpu.processors)
    rounds, rest = divmod(blocks, resident)
    cycles = rounds * max(resident * throughput, latency) + (max(rest * throughput, latency) if rest else 0)
    seconds = max(
        cycles / gpu.clock,
        traffic * kernel.blocks / gpu.second_cache_bandwidth,
        _memory_bytes(kernel, gpu) / (gpu.memory_bandwidth * constants.memory_share),
    )
    return constants.launch_seconds + seconds


def _add(work: _Work, statement: Statement, constants: Constants) -> None:
    """Adds what a statement does."""
    times = math.prod(loop.extent for loop in statement.loops)
    warps = math.ceil(statement.threads / WARP)
    unrolled = _unrolled(statement, constants)
    arithmetic = max(statement.adds, statement.multiplies) + constants.function_instructions * statement.divides
    work.arithmetic += times * arithmetic
    work.functions += times * statement.functions
    work.others += times / unrolled * constants.loop_instructions
    fetched = addressed = 0.0
    for access in statement.accesses:
        if access.scope == "local":
            continue
        requests = _elements(statement.loops, access.depends_on, unrolled, constants) / access.side_by_side
        work.others += requests
        if access.scope == "shared":
            work.shared_requests += warps * requests * access.requests
            work.waits += 0 if access.store else requests / constants.shared_at_once * constants.shared_latency
        else:
            work.sectors += warps * requests * access.requests
            addressed = max(addressed, requests)
            fetched += 0 if access.store else requests
    work.others += addressed * constants.address_share * statement.address_operations
    work.waits += fetched / max(1.0, min(constants.memory_at_once, unrolled)) * constants.memory_latency
    work.waits += times * arithmetic * constants.arithmetic_latency / _independent(statement, unrolled)


def _independent(statement: Statement, unrolled: float) -> float:
    """Results that a thread computes in turn, so that none waits for its own last operation."""
    stored = statement.accesses[0].depends_on
    results = math.prod(loop.extent for loop in statement.loops if loop.variable in stored)
    return max(1.0, min(results, unrolled))


def _unrolled(statement: Statement, constants: Constants) -> float:
    """Iterations of the innermost loops that are written out, by TVM or by CUDA's compiler."""
    limit, count = max(statement.unroll, constants.free_unroll), 1
    for loop in reversed(statement.loops):
        if count * loop.extent > limit and not loop.unrolled:
            return count * min(loop.extent, 4)
        count *= loop.extent
    return count


def _elements(loops: tuple[Loop, ...], depends_on: frozenset[int], unrolled: float, constants: Constants) -> float:
    """How many a thread loads: what the innermost loops load again is in registers, as far as it fits there."""
    distinct, count, kept = 1, 1, 0
    for loop in reversed(loops):
        extent = loop.extent if loop.variable in depends_on else 1
        if extent > 1 and (distinct * extent > constants.operand_registers or count * extent > unrolled):
            break
        distinct *= extent
        count *= loop.extent
        kept += 1
    return distinct * math.prod(loop.extent for loop in loops[: len(loops) - kept])


def _resident_blocks(kernel: Kernel, gpu: Gpu, constants: Constants) -> int:
    """Blocks that a processor holds at once."""
    threads = math.ceil(kernel.threads / WARP) * WARP
    registers = min(255, constants.base_registers + 1.5 * kernel.registers)
    return max(
        1,
        min(
            gpu.blocks,
            gpu.threads // threads,
            gpu.shared_bytes // max(1, kernel.shared_bytes),
            int(gpu.registers // (registers * threads)),
        ),
    )


def _second_cache_bytes(kernel: Kernel, work: _Work, resident: int, gpu: Gpu) -> float:
    """What a block moves between its processor's cache and the next: each byte once, if the cache can hold it."""
    once = sum(access.block_bytes for access in _global_accesses(kernel))
    room = max(16 * 1024, gpu.cache_bytes - resident * kernel.shared_bytes)
    moved = work.sectors * 32
    return min(moved, once) if once * resident <= room else moved


def _memory_bytes(kernel: Kernel, gpu: Gpu) -> float:
    """What comes from memory: timed again and again, a program finds in the second cache what fits there."""
    total = sum(access.all_bytes for access in _global_accesses(kernel))
    return max(0.0, total - gpu.second_cache_bytes) if total < 2 * gpu.second_cache_bytes else total


def _global_accesses(kernel: Kernel) -> list[Access]:
    return [each for statement in kernel.statements for each in statement.accesses if each.scope == "global"]
