"""What the worker's machine and its TVM have: GPUs, devices, threads, targets."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .job import Job


def ping(job: Job) -> dict[str, Any]:
    return {}


def gpus(job: Job) -> dict[str, Any]:
    from ..nvrtc import gpu_count

    return {"gpus": gpu_count()}


def devices(job: Job, tracker: dict[str, Any] | None) -> dict[str, Any]:
    from ..measuring.devices import list_gpus, list_servers

    return {"devices": list_gpus() if tracker is None else list_servers(**tracker)}


def threads(job: Job, asked: int | None) -> dict[str, Any]:
    from ..measuring.cpus import find_threads

    found = find_threads(asked)
    job.threads = found.count
    return asdict(found)


def target(job: Job, target: str, measures: str) -> dict[str, Any]:
    from ..targets import check_target

    checked = job.tried[target] = check_target(target, job.backend.parse_target(target), measures)
    return {"notices": checked.notices, "lack": checked.lack}
