"""What a network's tasks are about: the shapes of its convolutions, dense layers and batch matmuls, and how often each
runs. Taken from the published tasks (data/paper/networks), from our own tasks, and from a Relay module. And the
programs published with them (data/paper/records)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import tvm
    from tvm import auto_scheduler, relay
    from tvm.auto_scheduler.loop_state import StateObject

_PAPER = Path(__file__).resolve().parents[3] / "data/paper"
RECORDS, DATA = _PAPER / "records", _PAPER / "networks"
RELAY_OPERATORS = ("nn.conv2d", "nn.dense", "nn.batch_matmul")
# What TVM names the operation in a compute DAG, of 2021 and of today.
DAG_OPERATIONS = (
    (r"input_tile", "winograd"),
    (r"Conv2dOutput|DepthwiseConv2d|conv2d_nhwc", "nn.conv2d"),
    (r"T_dense|T_matmul_NT", "nn.dense"),
    (r"^(compute|T_batch_matmul_NT)\(b, i, j\) \+=", "nn.batch_matmul"),
)

# An operator, the shapes of data, weight (convolutions: height, width, in, out or multiplier) and output.
Core = tuple[str, tuple[int, ...], tuple[int, ...], tuple[int, ...]]
# The extents of all tensors of a task.
Extents = tuple[int, ...]


@dataclass(frozen=True)
class PublishedProgram:
    """The best program of a task that a method found, replayed on today's task; `seconds` were measured, on a V100."""

    task: auto_scheduler.SearchTask
    state: StateObject
    method: str
    seconds: float


def published_programs(network: str, tasks: list[auto_scheduler.SearchTask]) -> tuple[list[PublishedProgram], int]:
    """The V100's published records that today's tasks for CUDA can replay, and how many there are in all.

    A record's task is the first one with the same extents, those of 1 left out (a bias has gained some since), that TVM
    can replay the steps on.
    """
    from ..ansor.steps import state_of

    by_extents: dict[Extents, list[auto_scheduler.SearchTask]] = {}
    for task in tasks:
        by_extents.setdefault(_extents(task.workload_key), []).append(task)
    found, count = [], 0
    for method in ("ansor", "familyseer"):
        for line in (RECORDS / f"{network}-v100-{method}.json").read_text().splitlines():
            record = json.loads(line)
            count += 1
            for task in by_extents.get(_extents(record["i"][0][0]), []):
                state = state_of(task, record["i"][1][1])
                if state is not None:
                    found.append(PublishedProgram(task, state, method, float(np.mean(record["r"][0]))))
                    break
    return found, count


def _extents(workload_key: str) -> Extents:
    return tuple(each for each in _flat(json.loads(workload_key)[1:]) if each != 1)


def published_dags(network: str, target: str) -> list[tuple[str, Extents, int]]:
    """Of each published task its DAG in words, the extents of its tensors, and its weight."""
    content = json.loads((DATA / f"{network}-{target}.json").read_text())
    return [("\n".join(task["compute"]), tuple(task["workload_key"][1:]), task["weight"]) for task in content["tasks"]]


def extracted_dags(tasks: list[auto_scheduler.SearchTask], weights: list[int]) -> list[tuple[str, Extents, int]]:
    """The same of tasks of today."""
    return [
        (str(task.compute_dag), tuple(_flat(json.loads(task.workload_key)[1:])), weight)
        for task, weight in zip(tasks, weights)
    ]


def cores_of_dags(dags: Iterable[tuple[str, Extents, int]]) -> Counter[Core]:
    counted: Counter[Core] = Counter()
    for text, extents, weight in dags:
        core = core_of_dag(text, extents)
        if core:
            counted[core] += weight
    return counted


def cores_of_module(module: tvm.IRModule) -> Counter[Core]:
    """The shapes in a module whose types are known, in NHWC."""
    from tvm import relay

    counted: Counter[Core] = Counter()

    def visit(node: relay.Expr) -> None:
        if isinstance(node, relay.Call) and getattr(node.op, "name", None) in RELAY_OPERATORS:
            data, weight = (_shape(argument) for argument in node.args)
            counted[node.op.name, data, weight, _shape(node)] += 1

    relay.analysis.post_order_visit(module["main"], visit)
    return counted


def core_of_dag(text: str, extents: Extents) -> Core | None:
    name = next((name for pattern, name in DAG_OPERATIONS if re.search(pattern, text, re.MULTILINE)), None)
    if name is None:
        return None
    data, weight = (tuple(json.loads(shape)) for shape in re.findall(r"PLACEHOLDER (\[.*?\])", text)[:2])
    if name == "winograd":
        # A 3 x 3 convolution, its weights transformed beforehand to the size of its tiles.
        name, weight = "nn.conv2d", (3, 3, *sorted(weight[2:], key=lambda extent: extent != data[3]))
    return name, data, weight, extents[-len(data) :]


def _shape(node: relay.Expr) -> tuple[int, ...]:
    return tuple(int(extent) for extent in node.checked_type.shape)


def _flat(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else [each for part in value for each in _flat(part)]
