"""The worker as a process: `python -m familyseer.worker --connect ENDPOINT` serves one orchestrator over ZeroMQ."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from .session import Session

OUTGOING = "inproc://outgoing"


def main() -> None:
    parser = argparse.ArgumentParser(prog="familyseer.worker", description=__doc__)
    parser.add_argument("--connect", required=True, metavar="ENDPOINT", help="ipc://PATH or tcp://HOST:PORT")
    endpoint = parser.parse_args().connect
    missing = _missing_modules()
    if missing:
        sys.exit(
            f"{sys.executable} lacks {', '.join(missing)}. Expected a Python that has TVM (with auto_scheduler), "
            "pyzmq, msgpack, fastjsonschema and xgboost: run `npm run setup`, or install them there."
        )
    threading.Thread(target=_end_with_parent, name="parent watch", daemon=True).start()
    _serve(endpoint)


def _missing_modules() -> list[str]:
    import importlib.util

    wanted = ("tvm", "zmq", "msgpack", "fastjsonschema", "xgboost")
    return [name for name in wanted if importlib.util.find_spec(name) is None]


def _serve(endpoint: str) -> None:
    import zmq

    from .session import Session

    context = zmq.Context()
    outgoing = context.socket(zmq.PUSH)
    outgoing.bind(OUTGOING)
    lock = threading.Lock()

    def send(content: bytes) -> None:
        # One socket for two threads: the lock is also the memory barrier ZeroMQ asks for.
        with lock:
            outgoing.send(content)

    session = Session(send)
    threading.Thread(target=_carry, args=(context, endpoint, session), name="channel", daemon=True).start()
    session.serve()
    if session.refusal:
        sys.exit(f"The orchestrator ended the session: {session.refusal}")


def _carry(context: object, endpoint: str, session: Session) -> None:
    """Moves messages between the socket to the orchestrator and this process; the only thread to touch it."""
    import zmq

    socket = context.socket(zmq.DEALER)
    socket.connect(endpoint)
    pending = context.socket(zmq.PULL)
    pending.connect(OUTGOING)
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(pending, zmq.POLLIN)
    while True:
        for ready, _ in poller.poll():
            if ready is socket:
                session.deliver(socket.recv())
            else:
                socket.send(pending.recv())


def _end_with_parent() -> NoReturn:
    """Ends this process and all it started when the orchestrator, which holds our standard input, is gone."""
    while os.read(0, 4096):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main()
