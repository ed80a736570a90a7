"""The whole network as TVM builds it, with or without what tuning found, and as other runtimes have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import RequestError
from ..measuring.cpus import cpus_for, find_threads
from ..measuring.device import LocalDevice
from ..network_files import is_file
from ..rivals.rival import Rival, largest_difference
from ..targets import kind_of, on_cpu

if TYPE_CHECKING:
    from ..wire import messages
    from .job import Job


def compile_network(job: Job, tuned: bool) -> messages.CompileResult:
    network = job.extracted("compile", what="is no network")
    compiled = network.compile(job.records if tuned else None)
    job.modules.append(compiled)
    return {"module": len(job.modules) - 1, "notices": compiled.notices}


def against(job: Job, runtime: str, model: str, batch: int, layout: str) -> messages.AgainstResult:
    network = job.extracted("against", what="is no network")
    target = str(job.target)
    if not on_cpu(target) and kind_of(target) != "cuda":
        raise RequestError(
            f"The target {target} runs in no other runtime that --against knows. Expected this machine's CPU, or cuda."
        )
    inputs, weights = network.given()
    cpus = cpus_for(job.threads or find_threads().count) if on_cpu(target) else None
    rival = Rival(runtime, model, batch, layout, inputs, None if is_file(model) else weights, cpus)
    job.modules.append(rival)
    return {"module": len(job.modules) - 1, "version": rival.version}


def compare(job: Job, module: int, other: int) -> messages.CompareResult:
    ours = job.on_threads(job.module(module).outputs)
    found = largest_difference(ours, job.module(other).outputs())
    return {"difference": found and found[0], "largest": found and found[1]}


def export(job: Job, module: int, library: str) -> messages.ExportResult:
    job.compiled(module).export(library)
    return {}


def evaluate(job: Job, module: int, repeat: int, min_repeat_ms: int) -> messages.EvaluateResult:
    runnable = job.module(module)
    with job.turns.waited_for(LocalDevice().timed_on(str(job.target), 0)) as waited:
        return {"seconds": job.on_threads(runnable.time, repeat, min_repeat_ms), "waited": waited}
