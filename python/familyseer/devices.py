"""Measuring on several GPUs of this machine at once from TVM's own Python, through its RPC tracker and servers."""

from __future__ import annotations

from typing import Any

from tvm import auto_scheduler

from .measuring.servers import LocalServers


def start_devices(count: int, **timing: Any) -> tuple[LocalServers, LocalServers, auto_scheduler.RPCRunner]:
    """Starts a tracker and `count` servers on loopback, and a runner that keeps all of them busy.

    Server i sees GPU i alone (`CUDA_VISIBLE_DEVICES`). One that ends is started again; none outlives this process.
    `timing` is what `RPCRunner` takes besides: priority, timeout, number, repeat, min_repeat_ms, cooldown_interval,
    enable_cpu_cache_flush. The first two results are one: `terminate` of either ends the tracker and the servers.
    Raises DevicesError if one does not come up.
    """
    servers = LocalServers(count)
    host, port = servers.tracker.host, servers.tracker.port
    try:
        runner = auto_scheduler.RPCRunner(servers.key, host, port, n_parallel=count, **timing)
    except BaseException:
        servers.terminate()
        raise
    return servers, servers, runner
