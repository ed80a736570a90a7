"""From a network's name to the tasks to tune, extracted once and cached."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import stat
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .core_operation import core_operation, task_words
from .dense import mend_dense
from .errors import RequestError
from .networks import Network, build_network
from .networks.files import files_of, is_file, last_line

if TYPE_CHECKING:
    import tvm
    from tvm import auto_scheduler

CACHE_VERSION = 2
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
# Named by the targets, and so by the records, of what was not measured but simulated (simulated_gpu.py).
SIMULATED_MODEL = "simulated-v100"
TAG_ATTRIBUTE = "auto_scheduler_task_scheduler_tag"


@dataclass(frozen=True)
class TaskList:
    """The tasks of one network for one target, with how often the network runs each."""

    tasks: list[auto_scheduler.SearchTask]
    weights: list[int]
    from_cache: bool


def parse_target(text: str) -> tvm.target.Target:
    """A TVM target; `native` is this machine's CPU. Raises RequestError if TVM does not know it or cannot build it."""
    import tvm

    if text == "native":
        cpu = tvm.get_global_func("target.llvm_get_system_cpu")()
        text = f"llvm -mcpu={cpu}"
    try:
        target = tvm.target.Target(text)
    except Exception as error:
        reason = str(error).strip().splitlines()[-1]
        raise RequestError(
            f'Unknown target: {text} ({reason}). Expected a TVM target such as "llvm", "llvm -mcpu=core-avx2", '
            '"cuda -arch=sm_70", or "native" for this machine\'s CPU.'
        ) from None
    if target.kind.name == "cuda":
        from . import cuda  # noqa: F401  TVM compiles by NVRTC where there is no nvcc
    return target


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


def extract(model: str, batch: int, layout: str, target: tvm.target.Target, cache: Path | None) -> TaskList:
    """The tasks of a network, from the cache if it has them."""
    import tvm

    contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files_of(model)] if is_file(model) else []
    key = repr((CACHE_VERSION, tvm.__version__, model, contents, batch, layout, str(target)))
    entry = cache / f"tasks-{hashlib.sha256(key.encode()).hexdigest()[:24]}.pickle" if cache else None
    if entry:
        cached = _load(entry)
        if cached:
            return TaskList(*cached, from_cache=True)
    network = build_network(model, batch, layout)
    try:
        tasks, weights = _extract_fresh(network, target)
    except Exception as error:
        if not is_file(model):
            raise
        raise RequestError(f"TVM cannot compile {model} for the target {target}: {last_line(error)}") from None
    if not tasks:
        raise RequestError(f"{model} has no task to tune for the target {target}.")
    if entry:
        _store(entry, (tasks, weights))
    return TaskList(tasks, weights, from_cache=False)


def choose(task_list: TaskList, only: list[int] | None) -> TaskList:
    """Only some of the tasks, by their numbers; raises RequestError for a number there is not."""
    if only is None:
        return task_list
    count = len(task_list.tasks)
    for number in only:
        if number >= count:
            raise RequestError(f"There is no task {number}. Expected numbers from 0 to {count - 1}.")
    chosen = sorted(set(only))
    return TaskList(
        [task_list.tasks[number] for number in chosen],
        [task_list.weights[number] for number in chosen],
        task_list.from_cache,
    )


def _extract_fresh(network: Network, target: tvm.target.Target) -> tuple[list[auto_scheduler.SearchTask], list[int]]:
    from tvm import auto_scheduler

    mend_dense()
    limits = auto_scheduler.HardwareParams(**GPU_LIMITS) if target.kind.name != "llvm" else None
    with _cached_libinfo(), _raising_threads():
        tasks, weights = auto_scheduler.extract_tasks(
            network.module["main"], network.weights, target, hardware_params=limits
        )
    return list(tasks), [int(weight) for weight in weights]


@contextlib.contextmanager
def _cached_libinfo() -> Iterator[None]:
    """Extraction asks for the constant build facts over a thousand times, a quarter of its time through ctypes."""
    import tvm.support

    asked = tvm.support.libinfo
    facts = asked()
    tvm.support.libinfo = lambda: facts
    try:
        yield
    finally:
        tvm.support.libinfo = asked


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


def _load(entry: Path) -> tuple[list[auto_scheduler.SearchTask], list[int]] | None:
    """A cache entry, or None if there is none, others may have written it (it is a pickle), or it is damaged."""
    try:
        with entry.open("rb") as file:
            if not (_only_ours(os.fstat(file.fileno())) and _only_ours(entry.parent.stat())):
                return None
            return pickle.load(file)
    except FileNotFoundError:
        return None
    except Exception:
        entry.unlink()
        return None


def _only_ours(status: os.stat_result) -> bool:
    """Whether nobody else can have written a file, or put one into a folder."""
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _store(entry: Path, content: object) -> None:
    entry.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=entry.parent, delete=False) as file:
        pickle.dump(content, file)
    Path(file.name).replace(entry)
