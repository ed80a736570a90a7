"""The whole network as TVM builds it, with or without what tuning found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .job import Job


def compile_network(job: Job, tuned: bool) -> dict[str, Any]:
    network = job.extracted("compile", what="is no network")
    compiled = network.compile(job.records if tuned else None)
    job.modules.append(compiled)
    return {"module": len(job.modules) - 1, "executor": compiled.executor}


def export(job: Job, module: int, library: str) -> dict[str, Any]:
    job.compiled(module).export(library)
    return {}


def evaluate(job: Job, module: int, repeat: int, min_repeat_ms: int) -> dict[str, Any]:
    return {"seconds": job.on_threads(job.compiled(module).time, repeat, min_repeat_ms)}
