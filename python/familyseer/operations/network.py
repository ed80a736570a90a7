"""A network and its tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import descriptions
from ..backend import Description, Question
from ..rivals import check_rival
from ..targets import Checked

if TYPE_CHECKING:
    from ..wire import messages
    from .job import Job


def check(
    job: Job, model: str, batch: int, layout: str, library: str | None, against: list[str]
) -> messages.CheckResult:
    job.backend.check_network(model, batch, layout)
    for runtime in against:
        check_rival(runtime, model)
    if library is not None:
        job.backend.check_library(library)
    return {}


def extract(
    job: Job, model: str, batch: int, layout: str, inputs: list[dict[str, Any]], target: str, cache: str | None
) -> messages.ExtractResult:
    job.target = job.backend.parse_target(target, job.threads)
    folder = Path(cache) if cache else None
    tried = job.tried.get(target, Checked([], None))
    question = Question(model, batch, layout, inputs, job.target, job.threads, tried.block, folder)
    job.network = network = job.backend.extract(question)
    description: messages.ExtractResult = {
        "target": str(job.target),
        "from_cache": network.from_cache,
        "notices": tried.notices,
        "inputs": network.inputs,
        "tasks": [_described(task.describe(), weight) for task, weight in zip(network.tasks, network.weights)],
    }
    if folder:
        descriptions.keep(folder, model, batch, layout, inputs, target, description)
    return description


def _described(task: Description, weight: int) -> messages.DescribedTask:
    return {
        "workload_key": task.workload_key,
        "structure": task.structure,
        "tiled_stage": task.tiled_stage,
        "weight": weight,
        "description": task.description,
        "core_operation": task.core_operation,
        "words": task.words,
        "flops": task.flops,
        "similarity_tags": task.similarity_tags,
    }


def bounds(job: Job) -> messages.BoundsResult:
    network = job.extracted("bounds")
    return {"least_costs": job.on_threads(network.least_seconds, job.threads)}


def load(
    job: Job, log: str, to: int | None, other_targets: bool, only: list[int] | None, **rest: int
) -> messages.LoadResult:
    # `from` is no name in Python.
    part = job.extracted("load").read(log, rest["from"], to, other_targets, only)
    job.records += part.records
    return {
        "tasks": [record.task for record in part.records],
        "costs": [record.cost for record in part.records],
        "skipped": part.skipped.described(),
        "matched": part.matched,
    }


def workloads(job: Job, log: str) -> messages.WorkloadsResult:
    named = job.extracted("workloads").workloads(log)
    return {
        "workloads": {"lines": named.lines, "count": named.count, "numbers": named.numbers, "target": named.target}
        if named
        else None
    }
