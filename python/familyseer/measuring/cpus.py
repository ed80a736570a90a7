"""Which CPUs of this machine programs run on, with how many threads, and which are left for building."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import platform
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Literal, TypeVar

from ..errors import RequestError
from ..interpreter import with_variables

# What a user may have told TVM; the first that is set counts (TVM: src/runtime/threading_backend.cc, MaxConcurrency).
_Variable = Literal["TVM_NUM_THREADS", "OMP_NUM_THREADS"]
_VARIABLES: tuple[_Variable, ...] = ("TVM_NUM_THREADS", "OMP_NUM_THREADS")
_ROOT = Path("/")
# TVM's modes of a pool of threads (TVM: include/tvm/runtime/threading_backend.h, AffinityMode).
_BIG_CORES = 1
_ONE_EACH = -2
_pool = threading.local()
T = TypeVar("T")


@dataclass(frozen=True)
class Threads:
    """How many threads a program runs on. `by`: who says so, `option`, `cores` or a variable of the environment;
    `cores`: the real cores that this process may use; `tvm`: what TVM takes by itself."""

    count: int
    by: Literal["option", "cores", "TVM_NUM_THREADS", "OMP_NUM_THREADS"]
    cores: int
    tvm: int


@functools.cache
def allowed_cpus() -> set[int]:
    """The CPUs this process may use, as it was when this was first asked: TVM binds a thread that runs programs, also
    one that folds a network's constants, to its own."""
    return os.sched_getaffinity(0)


def find_threads(asked: int | None = None, root: Path = _ROOT) -> Threads:
    """As many as are asked for, else as the user told TVM, else one for each real core that this process may use.

    Raises RequestError for a number that cannot be, or that contradicts TVM_NUM_THREADS.
    """
    variable, told = _told()
    cores = real_cores(root)
    if asked is not None:
        _require_possible("--threads", str(asked))
        if variable == "TVM_NUM_THREADS" and told != str(asked):
            raise RequestError(
                f"--threads says {asked}, but TVM_NUM_THREADS says {told}. Leave one of them out, or give both the "
                "same number."
            )
        return Threads(asked, "option", cores, _choice_of_tvm())
    if variable is not None:
        _require_possible(variable, told)
        return Threads(int(told), variable, cores, _choice_of_tvm())
    return Threads(cores, "cores", cores, _choice_of_tvm())


def real_cores(root: Path = _ROOT, allowed: set[int] | None = None) -> int:
    """How many cores this process can keep busy: those of the CPUs it may run on (`allowed`, its affinity unless
    given), but no more than its cgroups' quota of CPU time pays for. `root` holds /sys and /proc."""
    cores = len(_cores_first(allowed_cpus() if allowed is None else allowed, root)[0])
    return max(1, math.floor(min(cores, _quota(root))))


def are_threads_told() -> bool:
    """Whether the user told TVM a number."""
    return _told()[0] is not None


def tvm_threads() -> int:
    """How many threads TVM runs a program on where nobody tells it but the environment."""
    variable, told = _told()
    number = re.match(r"\s*\d+", told)
    return max(1, int(number[0]) if number else 1) if variable else _choice_of_tvm()


class Cpus:
    """The CPUs this process may use: `timing` are those that TVM's threads run programs on, `others` share no core with
    them. `bound` are those of `timing` that threads are to be bound to, one each; none where TVM chooses by itself."""

    def __init__(self, threads: int | None = None, root: Path = _ROOT) -> None:
        self.all = allowed_cpus()
        self.bound: tuple[int, ...] = () if threads is None else cpus_for(threads, root)
        self.timing = set(self.bound or sorted(self.all)[: tvm_threads()])
        beside = {sibling for cpu in self.timing for sibling in _siblings(cpu, root)}
        self.others = self.all - self.timing - beside

    def confine(self, pid: int, cpus: set[int]) -> None:
        """Keeps a process, if it is still there, on the given CPUs."""
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(pid, cpus)


def cpus_for(threads: int, root: Path = _ROOT) -> tuple[int, ...]:
    """A CPU for each thread, of a core of its own as long as there are cores."""
    firsts, seconds = _cores_first(allowed_cpus(), root)
    return tuple([*firsts, *seconds][:threads])


@contextlib.contextmanager
def on_cpus(cpus: tuple[int, ...]) -> Iterator[None]:
    """Within, TVM runs the programs of the calling thread on a thread for each of the CPUs; none: as TVM chooses.

    Left alone, TVM binds its threads to the machine's first CPUs, whether or not this process may use them and whether
    or not they share a core; and where CPUs differ in frequency it takes only the fastest, however many it is told to.
    """
    if not cpus:
        yield
        return
    import tvm

    is_tvm_0_8 = tvm.get_global_func("runtime.NumThreads", allow_missing=True) is None
    # TVM 0.8 asks the environment whenever a program runs, and cannot be told CPUs: its threads are on any of them.
    with with_variables({"TVM_NUM_THREADS": str(len(cpus)), "TVM_BIND_THREADS": "0"} if is_tvm_0_8 else {}):
        if getattr(_pool, "cpus", None) != cpus:
            # TVM's threads inherit this.
            os.sched_setaffinity(0, set(cpus))
            how = (_BIG_CORES, len(cpus)) if is_tvm_0_8 else (_ONE_EACH, len(cpus), [str(cpu) for cpu in cpus])
            tvm.get_global_func("runtime.config_threadpool")(*how)
            _pool.cpus = cpus
        yield


def run_on(cpus: tuple[int, ...], run: Callable[..., T], *arguments: Any) -> T:
    """Runs programs in `on_cpus`, on a thread that is kept for it: the calling one's affinity and TVM's pool stay."""

    def run_there() -> T:
        with on_cpus(cpus):
            return run(*arguments)

    return _timing_thread(cpus).submit(run_there).result()


@functools.cache
def _timing_thread(_cpus: tuple[int, ...]) -> ThreadPoolExecutor:
    """It has TVM's pool for the CPUs, which never grows, and it never ends: TVM may hang in the end of a pool."""
    return ThreadPoolExecutor(1, "familyseer timing")


def _told() -> tuple[_Variable | None, str]:
    name = next((name for name in _VARIABLES if os.environ.get(name)), None)
    told = os.environ[name] if name else ""
    # OpenMP's is a list, a number for each level of nesting; TVM too takes the first.
    return name, (told.split(",")[0] if name == "OMP_NUM_THREADS" else told).strip()


def _choice_of_tvm() -> int:
    """Half of an x86 machine's CPUs: it takes them for hyperthreads."""
    cpus = os.cpu_count() or 1
    return max(1, cpus // 2 if platform.machine().lower() in ("x86_64", "amd64") else cpus)


def _require_possible(name: str, number: str) -> None:
    most = len(allowed_cpus())
    if not number.isdecimal() or not 1 <= int(number) <= most:
        raise RequestError(
            f"{name} says {number} threads, where this process may use {most} CPU{'' if most == 1 else 's'}. Expected "
            f"a whole number from 1 to {most}, or none: then a thread runs on each real core."
            + (" --threads N goes before it." if name == "OMP_NUM_THREADS" else "")
        )


def _cores_first(cpus: set[int], root: Path) -> tuple[list[int], list[int]]:
    """The first CPU of each core, and the rest."""
    firsts: list[int] = []
    taken: set[int] = set()
    for cpu in sorted(cpus):
        if cpu not in taken:
            firsts.append(cpu)
            taken |= _siblings(cpu, root)
    return firsts, sorted(cpus - set(firsts))


def _siblings(cpu: int, root: Path) -> set[int]:
    """The CPUs that share a core with one, itself among them."""
    text = _read(root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    ranges = (part.split("-") for part in text.split(",")) if text else ()
    return {cpu, *(number for low, *high in ranges for number in range(int(low), int(high[0] if high else low) + 1))}


def _quota(root: Path) -> float:
    """CPUs whose whole time the cgroups of this process, and those they are in, leave it; infinite without a quota.

    https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max), .../scheduler/sched-bwc.html (version 1)
    """
    quotas = [math.inf]
    for line in _read(root / "proc/self/cgroup").splitlines():
        _number, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mounts = ("cpu", controllers) if controllers else ("", "unified")
        own = Path(path.strip("/"))
        # A container may see its own group as the root.
        groups = (Path(), own, *own.parents)
        quotas += [_quota_of(root / "sys/fs/cgroup" / mount / group) for mount in mounts for group in groups]
    return min(quotas)


def _quota_of(group: Path) -> float:
    both = _read(group / "cpu.max").split()
    limit, period = both or [_read(group / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    return int(limit) / int(period) if limit.isdecimal() and period.isdecimal() and int(period) > 0 else math.inf


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
