"""From a network's name to the tasks to tune, extracted once and cached."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import cache
from ..backend import Description
from ..errors import RequestError, last_line
from ..network_files import digests_of, is_file
from .core_operation import core_operation, structure, task_words, tiled_stage
from .networks import Network, build_network

if TYPE_CHECKING:
    import tvm

    from ..wire import messages
    from .target import MetaTarget

CACHE_VERSION = 2


@dataclass(frozen=True)
class ExtractedTask:
    """A task as TVM extracts it: its name, and the module with its one PrimFunc, `main`."""

    name: str
    module: tvm.IRModule


@dataclass(frozen=True)
class TaskList:
    """The tasks of one network for one target, with how often the network runs each."""

    tasks: list[ExtractedTask]
    weights: list[int]
    from_cache: bool
    # What the network is compiled for, as the other side knows it (protocol, `extract`).
    inputs: list[messages.DescribedInput]


def extract(
    model: str,
    batch: int,
    layout: str,
    target: MetaTarget,
    folder: Path | None,
    inputs: Sequence[dict[str, Any]] = (),
) -> TaskList:
    """The tasks of a network in the order in which it runs them first, from the cache in a folder if it has them.

    Raises RequestError for a network that has none, or that TVM cannot compile.
    """
    import tvm

    network_key = (model, digests_of(model), batch, layout, json.dumps(inputs, sort_keys=True))
    key = (CACHE_VERSION, tvm.__version__, *network_key, target.text)
    entry = cache.entry_of(folder, "tasks", ".json", *key) if folder else None
    cached = _load(entry) if entry else None
    if cached:
        return cached
    network = build_network(model, batch, layout, inputs)
    try:
        tasks, weights = extract_tasks(network, target.tvm)
    except RequestError:
        raise
    except Exception as error:
        if not is_file(model):
            raise
        raise RequestError(f"TVM cannot compile {model} for the target {target}: {last_line(error)}") from None
    if not tasks:
        raise RequestError(f"{model} has no task to tune for the target {target}.")
    found = TaskList(tasks, weights, from_cache=False, inputs=network.described_inputs())
    if entry:
        cache.write(entry, _saved(found))
    return found


def extract_tasks(network: Network, target: tvm.target.Target) -> tuple[list[ExtractedTask], list[int]]:
    """The tasks of a network, and how often it runs each.

    Functions that give their input another shape alone are none: Relax's VM makes views of them. Raises RequestError
    where a function's shapes stay open.
    """
    from tvm import relax
    from tvm.s_tir.meta_schedule import relax_integration

    from .lowering import lower

    lowered = lower(network.module, target)
    _check_shapes(lowered)
    # TVM gives them in the order of a hash, each by the name of its first function that is called.
    by_name = {str(task.task_name): task for task in relax_integration.extract_tasks(lowered, target)}
    tasks, weights = [], []
    for name in _called(lowered):
        task = by_name.get(name)
        if task is not None and not relax.analysis.has_reshape_pattern(task.dispatched[0]["main"]):
            tasks.append(ExtractedTask(name, task.dispatched[0]))
            weights.append(int(task.weight))
    return tasks, weights


def describe(task: ExtractedTask) -> Description:
    """What the task computes (backend.py, `Description`)."""
    from tvm.s_tir.analysis import estimate_tir_flops

    from .database import workload_key

    function = task.module["main"]
    return Description(
        workload_key(task.module),
        structure(function),
        tiled_stage(function),
        task.name,
        core_operation(function),
        task_words(function),
        float(estimate_tir_flops(task.module)),
        # They are for TVM's scheduler of Ansor's tasks.
        [],
    )


def _check_shapes(module: tvm.IRModule) -> None:
    from tvm import tirx

    for name, function in module.functions.items():
        if isinstance(function, tirx.PrimFunc) and not all(
            isinstance(extent, tirx.IntImm) for each in function.params for extent in getattr(each, "shape", ())
        ):
            raise RequestError(
                f"The network has a function whose shapes stay open when its inputs' are known: {name.name_hint}. "
                "MetaSchedule tunes for fixed shapes alone. Expected a network whose shapes follow from its inputs'."
            )


def _called(module: tvm.IRModule) -> list[str]:
    """The names of what a network's functions call, in order, `main` first."""
    from tvm import ir, relax

    names: dict[str, None] = {}

    def visit(node: Any) -> None:
        if isinstance(node, ir.GlobalVar):
            names[str(node.name_hint)] = None

    functions = [(str(each.name_hint), function) for each, function in module.functions.items()]
    for _name, function in sorted(functions, key=lambda each: (each[0] != "main", each[0])):
        if isinstance(function, relax.Function):
            relax.analysis.post_order_visit(function, visit)
    return list(names)


def _saved(found: TaskList) -> bytes:
    import tvm

    modules = tvm.ir.save_json([task.module for task in found.tasks])
    names = [task.name for task in found.tasks]
    return json.dumps([names, found.weights, found.inputs, modules]).encode()


def _load(entry: Path) -> TaskList | None:
    """A cache entry, or None if there is none that can be believed, or it is damaged."""
    import tvm

    content = cache.read(entry)
    if content is None:
        return None
    try:
        names, weights, inputs, modules = json.loads(content)
        tasks = [ExtractedTask(name, module) for name, module in zip(names, tvm.ir.load_json(modules))]
    except Exception:
        entry.unlink()
        return None
    return TaskList(tasks, weights, from_cache=True, inputs=inputs)
