"""Measuring on several GPUs of this machine at once, through TVM's own RPC tracker and servers."""

from __future__ import annotations

import os
import threading
from typing import Any

from tvm import auto_scheduler
from tvm.rpc.server import Server
from tvm.rpc.tracker import Tracker

_LOOPBACK = "127.0.0.1"
_environment = threading.Lock()


class Servers:
    """One RPC server per GPU."""

    def __init__(self, servers: list[Server]) -> None:
        self._servers = servers

    def __len__(self) -> int:
        return len(self._servers)

    def terminate(self) -> None:
        for server in self._servers:
            server.terminate()


def start_devices(count: int, **timing: Any) -> tuple[Tracker, Servers, auto_scheduler.RPCRunner]:
    """Starts a tracker and `count` servers on loopback, and a runner that keeps all of them busy.

    Server i sees GPU i alone (`CUDA_VISIBLE_DEVICES`). `timing` is what `RPCRunner` takes besides: priority, timeout,
    number, repeat, min_repeat_ms, cooldown_interval, enable_cpu_cache_flush. Whoever calls terminates the tracker and
    the servers.
    """
    tracker = Tracker(host=_LOOPBACK, port=9000, port_end=10000, silent=True)
    key = f"$familyseer$device${tracker.port}"
    servers = [_server(gpu, key, tracker) for gpu in range(count)]
    runner = auto_scheduler.RPCRunner(key, _LOOPBACK, tracker.port, n_parallel=count, **timing)
    return tracker, Servers(servers), runner


def _server(gpu: int, key: str, tracker: Tracker) -> Server:
    # A server's process takes its environment when it starts; CUDA reads it when it is first used there.
    with _environment:
        before = os.environ.get("CUDA_VISIBLE_DEVICES")
        visible = before.split(",") if before else None
        os.environ["CUDA_VISIBLE_DEVICES"] = visible[gpu] if visible and gpu < len(visible) else str(gpu)
        try:
            return Server(
                host=_LOOPBACK,
                port=tracker.port,
                port_end=10000,
                key=key,
                silent=True,
                tracker_addr=(_LOOPBACK, tracker.port),
            )
        finally:
            if before is None:
                del os.environ["CUDA_VISIBLE_DEVICES"]
            else:
                os.environ["CUDA_VISIBLE_DEVICES"] = before
