"""TVM's own RPC tracker or server as a process on loopback that ends with whoever started it.

    python -m familyseer.measuring.server_process tracker PORT
    python -m familyseer.measuring.server_process server PORT TRACKER_PORT KEY MEMORY_LIMIT

Port 0: any. Prints the port it listens on once it does. Ends, with all it started, when its standard input closes.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import signal
import socket
import sys
import threading
import time
from typing import Any, Callable, NoReturn

LOOPBACK = "127.0.0.1"
_ANY_PORT = (9000, 10000)


def main() -> None:
    threading.Thread(target=_end_with_parent, name="parent watch", daemon=True).start()
    # TVM's processes take our standard output; the pipe behind it is for the port alone.
    answer = os.dup(1)
    os.dup2(2, 1)
    kind, *options = sys.argv[1:]
    kinds: dict[str, Callable[..., Any]] = {"tracker": _tracker, "server": _server}
    started = kinds[kind](*options)
    os.write(answer, f"{started.port}\n".encode())
    os.close(answer)
    started.proc.join()
    _end_all()


def _tracker(port: str) -> Any:
    from tvm.rpc.tracker import Tracker

    if int(port) and not _takes_over_ports():
        _wait_for(int(port))
    low, high = _ports(port)
    return Tracker(host=LOOPBACK, port=low, port_end=high, silent=True)


def _server(port: str, tracker_port: str, key: str, memory_limit: str) -> Any:
    from tvm.rpc.server import Server

    from .fork_server import limit

    limit(int(memory_limit))
    low, high = _ports(port if _takes_over_ports() else "0")
    return Server(
        host=LOOPBACK, port=low, port_end=high, key=key, silent=True, tracker_addr=(LOOPBACK, int(tracker_port))
    )


def _ports(port: str) -> tuple[int, int]:
    return (int(port), int(port) + 1) if int(port) else _ANY_PORT


def _takes_over_ports() -> bool:
    """TVM 0.8 cannot listen on a port whose connections ended within the last minute."""
    from tvm.rpc.tracker import Tracker

    return "reuse_addr" in inspect.signature(Tracker).parameters


def _wait_for(port: int) -> None:
    for _second in range(90):
        with contextlib.suppress(OSError), socket.socket() as free:
            free.bind((LOOPBACK, port))
            return
        time.sleep(1)


def _end_with_parent() -> NoReturn:
    while os.read(0, 4096):
        pass
    _end_all()


def _end_all() -> NoReturn:
    """Ends this process and all it started: it leads their group."""
    os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main()
