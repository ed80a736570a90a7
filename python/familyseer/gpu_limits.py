"""What a block of a GPU may have at most, as TVM's search is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tvm

# A GPU's limits when there is none to ask: a V100's; what a block may have is the same from compute capability 5.0 to
# 9.0. TVM asks the driver, and fails, if any of the eight is left out.
GPU_LIMITS = {
    "num_cores": 80,
    "vector_unit_bytes": 16,
    "cache_line_bytes": 64,
    "max_shared_memory_per_block": 49152,
    "max_local_memory_per_block": 2147483647,
    "max_threads_per_block": 1024,
    "max_vthread_extent": 8,
    "warp_size": 32,
}
# Of a block, in bytes, where a target says nothing: what every device of the kind has.
SHARED_MEMORY = {"cuda": 49152, "rocm": 65536, "metal": 32768, "opencl": 16384, "vulkan": 16384}


def gpu_limits(target: tvm.target.Target, block: tuple[int, int] | None = None) -> dict[str, int]:
    """What a block may have at most: what a GPU target's attributes name, else what the device says where programs run
    (`block`: threads and bytes), else what every device of the kind has."""
    import tvm

    kind = target.kind.name
    usual = tvm.target.Target(kind).attrs if kind != "cuda" else {}

    def limit(default: int, of_device: int | None, *names: str) -> int:
        there = {name: int(target.attrs[name]) for name in names if target.attrs.get(name) is not None}
        named = [value for name, value in there.items() if usual.get(name) is None or int(usual[name]) != value]
        if not named and of_device is not None:
            return of_device
        return min(named or there.values(), default=default)

    threads, size = block or (None, None)
    most = GPU_LIMITS["max_threads_per_block"]
    warp = limit(GPU_LIMITS["warp_size"], None, "thread_warp_size")
    return {
        **GPU_LIMITS,
        "max_threads_per_block": limit(most, threads, "max_threads_per_block", "max_num_threads"),
        "max_shared_memory_per_block": limit(SHARED_MEMORY[kind], size, "max_shared_memory_per_block"),
        "max_vthread_extent": max(1, warp // 4),
        "warp_size": warp,
    }
