"""Which CPUs of this machine programs are timed on, and which are left for building."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_TOPOLOGY = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


class Cpus:
    """The CPUs this process may use: `timing` are those that TVM's threads run programs on, `others` share no core with
    them."""

    def __init__(self) -> None:
        self.all = os.sched_getaffinity(0)
        self.timing = set(sorted(self.all)[: tvm_threads()])
        beside = {sibling for cpu in self.timing for sibling in _siblings(cpu)}
        self.others = self.all - self.timing - beside

    def confine(self, pid: int, cpus: set[int]) -> None:
        """Keeps a process, if it is still there, on the given CPUs."""
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(pid, cpus)


def tvm_threads() -> int:
    """How many threads TVM runs a program on (TVM: src/runtime/threading_backend.cc, MaxConcurrency)."""
    named = os.environ.get("TVM_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS")
    if named:
        return max(1, int(named))
    return max(1, (os.cpu_count() or 1) // 2)


def _siblings(cpu: int) -> set[int]:
    """The CPUs that share a core with one, itself among them."""
    try:
        text = Path(_TOPOLOGY.format(cpu)).read_text().strip()
    except OSError:
        return {cpu}
    ranges = (part.split("-") for part in text.split(","))
    return {number for low, *high in ranges for number in range(int(low), int(high[0] if high else low) + 1)}
