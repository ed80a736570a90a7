"""From a network's name to the tasks to tune, extracted once and cached."""

from __future__ import annotations

import contextlib
import pickle
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import cache
from ..errors import RequestError, last_line
from ..gpu_limits import gpu_limits
from ..network_files import digests_of, is_file
from ..targets import on_cpu
from .dense import mend_dense
from .networks import AskedInput, Network, build_network

if TYPE_CHECKING:
    import tvm
    from tvm import auto_scheduler

    from ..wire import messages

CACHE_VERSION = 4
TAG_ATTRIBUTE = "auto_scheduler_task_scheduler_tag"


@dataclass(frozen=True)
class TaskList:
    """The tasks of one network for one target, with how often the network runs each."""

    tasks: list[auto_scheduler.SearchTask]
    weights: list[int]
    from_cache: bool
    # What the network is compiled for, as the other side knows it (protocol, `extract`).
    inputs: list[messages.DescribedInput]


def dag_hash(workload_key: str) -> str:
    """The hash of a compute DAG, with which TVM's keys begin: `["<32 hex digits>", ...]`."""
    return workload_key[2:34]


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

    with _replaced(te_compiler, "libinfo", lambda: facts), _replaced(Object, "__getattr__", look_up_own):
        yield


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """An attribute that is another for a while."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


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


def _load(entry: Path) -> tuple[list[auto_scheduler.SearchTask], list[int], list[messages.DescribedInput]] | None:
    """A cache entry, or None if there is none that can be believed (it is a pickle), or it is damaged."""
    content = cache.read(entry)
    if content is None:
        return None
    try:
        kept: tuple[list[auto_scheduler.SearchTask], list[int], list[messages.DescribedInput]] = pickle.loads(content)
    except Exception:
        entry.unlink()
        return None
    return kept
