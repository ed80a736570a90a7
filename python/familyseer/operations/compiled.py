"""The whole network as TVM builds it, with or without what tuning found."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..wire import messages
    from .job import Job


def compile_network(job: Job, tuned: bool) -> messages.CompileResult:
    network = job.extracted("compile", what="is no network")
    compiled = network.compile(job.records if tuned else None)
    job.modules.append(compiled)
    return {"module": len(job.modules) - 1, "notices": compiled.notices}


def export(job: Job, module: int, library: str) -> messages.ExportResult:
    job.compiled(module).export(library)
    return {}


def evaluate(job: Job, module: int, repeat: int, min_repeat_ms: int) -> messages.EvaluateResult:
    return {"seconds": job.on_threads(job.compiled(module).time, repeat, min_repeat_ms)}
