"""What the worker's machine and its TVM have: GPUs, devices, threads, targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..targets import Measures
    from ..wire import messages
    from .job import Job


def ping(job: Job) -> messages.PingResult:
    return {}


def gpus(job: Job) -> messages.GpusResult:
    from ..nvrtc import gpu_count

    return {"gpus": gpu_count()}


def devices(job: Job, tracker: messages.TrackerQuestion | None) -> messages.DevicesResult:
    from ..measuring.devices import list_gpus, list_servers

    return {"devices": list_gpus() if tracker is None else list_servers(**tracker)}


def capacity(job: Job, devices: messages.DeviceSettings, builders: int) -> messages.CapacityResult:
    from ..measuring.cpus import allowed_cpus
    from ..measuring.devices import count_devices

    return {"builders": builders or len(allowed_cpus()), "devices": count_devices(devices)}


def threads(job: Job, asked: int | None) -> messages.ThreadsResult:
    from ..measuring.cpus import find_threads

    found = find_threads(asked)
    job.threads = found.count
    return {"count": found.count, "by": found.by, "cores": found.cores, "tvm": found.tvm}


def target(job: Job, target: str, measures: Measures) -> messages.TargetResult:
    checked = job.tried[target] = job.backend.check_target(target, measures)
    return {"notices": checked.notices, "lack": checked.lack}
