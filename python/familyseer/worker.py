"""The worker as a process: `python -m familyseer.worker --connect ENDPOINT` serves one orchestrator over ZeroMQ."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from typing import NoReturn


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
    from .channel import Channel
    from .session import Session

    session = Session()
    channel = Channel(endpoint, session.deliver)
    session.serve(channel.send)
    channel.close()
    if session.refusal:
        sys.exit(f"The orchestrator ended the session: {session.refusal.reason}")


def _end_with_parent() -> NoReturn:
    """Ends this process and all it started when the orchestrator, which holds our standard input, is gone."""
    while os.read(0, 4096):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main()
