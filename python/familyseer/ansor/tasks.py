"""From a network's name to the tasks to tune, extracted once and cached."""

from __future__ import annotations

import contextlib
import pickle
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from .. import cache
from ..errors import RequestError, last_line
from ..near_misses import did_you_mean
from ..targets import KINDS, kind_of, on_cpu, require_served
from .core_operation import core_operation, task_words
from .dense import mend_dense
from .networks import AskedInput, Network, build_network
from .networks.files import digests_of, is_file

if TYPE_CHECKING:
    import tvm
    from tvm import auto_scheduler

CACHE_VERSION = 4
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
_SHARED_MEMORY = {"cuda": 49152, "rocm": 65536, "metal": 32768, "opencl": 16384, "vulkan": 16384}
# Named by the targets, and so by the records, of what was not measured but simulated (simulated_gpu.py).
SIMULATED_MODEL = "simulated-v100"
TAG_ATTRIBUTE = "auto_scheduler_task_scheduler_tag"


@dataclass(frozen=True)
class TaskList:
    """The tasks of one network for one target, with how often the network runs each."""

    tasks: list[auto_scheduler.SearchTask]
    weights: list[int]
    from_cache: bool
    # What the network is compiled for, as the other side knows it (protocol, `extract`).
    inputs: list[dict[str, Any]]


def parse_target(text: str) -> tvm.target.Target:
    """A TVM target; `native` is this machine's CPU. Raises RequestError if TVM does not know it or cannot build it."""
    import tvm

    if text == "native":
        cpu = tvm.get_global_func("target.llvm_get_system_cpu", allow_missing=True)
        if cpu is None:
            raise RequestError(
                f"TVM {tvm.__version__} does not tell this machine's CPU. Expected a target that names it, such as "
                '"llvm -mcpu=core-avx2", or "llvm".'
            )
        text = f"llvm -mcpu={cpu()}"
    try:
        target = tvm.target.Target(text)
    except Exception as error:
        reason = str(error).strip().splitlines()[-1]
        tags = tvm.get_global_func("target.TargetTagListTags", allow_missing=True)
        known = [*KINDS, "native", *(str(tag) for tag in (tags() if tags else {}))]
        hint = did_you_mean(kind_of(text), known, most=2)
        raise RequestError(
            f'Unknown target: {text} ({reason}).{hint} Expected a TVM target such as "llvm", "llvm -mcpu=core-avx2", '
            '"cuda -arch=sm_70", or "native" for this machine\'s CPU.'
        ) from None
    require_served(target)
    if target.kind.name == "cuda":
        from .. import nvrtc

        nvrtc.register()
    return target


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
        "max_shared_memory_per_block": limit(_SHARED_MEMORY[kind], size, "max_shared_memory_per_block"),
        "max_vthread_extent": max(1, warp // 4),
        "warp_size": warp,
    }


def is_simulated(target: str) -> bool:
    """Whether a target, as TVM spells it, is the simulated GPU's."""
    return SIMULATED_MODEL in target


def describe_tasks(task_list: TaskList) -> list[dict[str, Any]]:
    """The tasks as the other side knows them (protocol, `extract`)."""
    return [
        {
            "workload_key": task.workload_key,
            "weight": weight,
            "description": task.desc,
            "core_operation": core_operation(task.compute_dag),
            "words": task_words(task.compute_dag),
            "flops": float(task.compute_dag.flop_ct),
            "similarity_tags": similarity_tags(task.compute_dag),
        }
        for task, weight in zip(task_list.tasks, task_list.weights)
    ]


def similarity_tags(dag: auto_scheduler.ComputeDAG) -> list[str]:
    """What TVM's scheduler takes tasks to be similar by: the tags of a DAG's operations, in order."""
    tags = (operation.attrs.get(TAG_ATTRIBUTE) if operation.attrs else None for operation in dag.ops)
    return [str(tag) for tag in tags if tag]


def extract(
    model: str,
    batch: int,
    layout: str,
    target: tvm.target.Target,
    folder: Path | None,
    inputs: Sequence[AskedInput] = (),
    threads: int | None = None,
    block: tuple[int, int] | None = None,
) -> TaskList:
    """The tasks of a network, from the cache in a folder if it has them. `threads`: how many a program runs on, where
    that is a CPU; None: as many as TVM chooses. `block`: see `gpu_limits`.

    Raises RequestError for a network that has none, or that could be tuned but then not be run (`executor_of`).
    """
    import tvm

    from .latency import executor_of

    network_key = (model, digests_of(model), batch, layout, tuple(inputs))
    key = (CACHE_VERSION, tvm.__version__, *network_key, str(target), threads, block)
    entry = cache.entry_of(folder, "tasks", ".pickle", *key) if folder else None
    if entry:
        cached = _load(entry)
        if cached:
            tasks, weights, described = cached
            return TaskList(tasks, weights, from_cache=True, inputs=described)
    network = build_network(model, batch, layout, inputs)
    try:
        tasks, weights = _extract_fresh(network, target, threads, block)
        executor_of(network, target)
    except Exception as error:
        if not is_file(model):
            raise
        raise RequestError(f"TVM cannot compile {model} for the target {target}: {last_line(error)}") from None
    if not tasks:
        raise RequestError(f"{model} has no task to tune for the target {target}.")
    if entry:
        cache.write(entry, pickle.dumps((tasks, weights, network.described_inputs())))
    return TaskList(tasks, weights, from_cache=False, inputs=network.described_inputs())


def _extract_fresh(
    network: Network, target: tvm.target.Target, threads: int | None, block: tuple[int, int] | None
) -> tuple[list[auto_scheduler.SearchTask], list[int]]:
    from tvm import auto_scheduler

    mend_dense()
    if on_cpu(target):
        limits = auto_scheduler.HardwareParams(threads, target=target) if threads else None
    else:
        limits = auto_scheduler.HardwareParams(**gpu_limits(target, block))
    with _without_idle_calls(), _raising_threads():
        tasks, weights = auto_scheduler.extract_tasks(network.module, network.weights, target, hardware_params=limits)
    return list(tasks), [int(weight) for weight in weights]


@contextlib.contextmanager
def _without_idle_calls() -> Iterator[None]:
    """Spares an extraction two kinds of calls into TVM, half of its time for resnet152_v2.

    TVM asks for the constant facts of its build over a thousand times. And numpy, when TOPI puts expressions into its
    arrays, asks each for the protocols of arrays, which have names such as `__array__`; no TVM object has an attribute
    of such a name, but TVM says so with an exception from C++, in milliseconds.
    """
    from tvm.relay.backend import te_compiler
    from tvm.runtime import Object

    facts = te_compiler.libinfo()
    look_up = Object.__getattr__

    def look_up_own(self: Any, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        return look_up(self, name)

    tvm_asks = mock.patch.object(te_compiler, "libinfo", lambda: facts)
    numpy_asks = mock.patch.object(Object, "__getattr__", look_up_own)
    with tvm_asks, numpy_asks:
        yield


@contextlib.contextmanager
def _raising_threads() -> Iterator[None]:
    """TVM compiles in a thread of its own and takes what that raises, but for TVMError, for the end of the tasks."""
    raised: list[BaseException | None] = []
    asked = threading.excepthook
    threading.excepthook = lambda arguments: raised.append(arguments.exc_value)
    try:
        yield
    finally:
        threading.excepthook = asked
    if raised:
        raise raised[0] or RuntimeError("TVM's compiler ended")


def _load(entry: Path) -> tuple[list[auto_scheduler.SearchTask], list[int], list[dict[str, Any]]] | None:
    """A cache entry, or None if there is none that can be believed (it is a pickle), or it is damaged."""
    content = cache.read(entry)
    if content is None:
        return None
    try:
        return pickle.loads(content)
    except Exception:
        entry.unlink()
        return None
