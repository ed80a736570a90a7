"""How long this process has waited for CPUs that something else had, as Linux counts it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

_ROOT = Path("/")


def waited_seconds(cpus: Collection[int], root: Path = _ROOT) -> float | None:
    """Seconds that the threads of this process have waited for a CPU so far, all together, and those that a hypervisor
    took from the given CPUs since the machine began; None where the kernel does not say.

    https://docs.kernel.org/scheduler/sched-stats.html (/proc/<pid>/schedstat), man 5 proc_stat (steal)
    """
    waited = 0
    try:
        for thread in (root / "proc/self/task").iterdir():
            # It may have ended since.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                waited += int((thread / "schedstat").read_text().split()[1])
        lines = [line.split() for line in (root / "proc/stat").read_text().splitlines() if line.startswith("cpu")]
        names = {f"cpu{cpu}" for cpu in cpus}
        stolen = sum(int(line[8]) for line in lines if line[0] in names)
    except (OSError, ValueError, IndexError):
        return None
    return waited / 1e9 + stolen / os.sysconf("SC_CLK_TCK") if waited else None
