"""The worker behind plain function calls, for channels that call Python instead of sending to it.

Messages are base64 text, which every bridge carries unharmed.
"""

from __future__ import annotations

import base64
import queue
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from familyseer.wire.session import Session

_workers: dict[int, tuple[Session, queue.Queue[bytes], threading.Thread]] = {}


def open_worker(executable: str, version: str, sites: list[str]) -> int:
    """Starts a worker on a thread of this interpreter.

    An interpreter inside another program must be told the `executable` whose TVM it is to be (TVM starts processes
    with it), that one's `version` and its folders of packages (`sites`); empty for one that is that executable.
    """
    # This interpreter imports nothing from the current folder.
    sys.path[:] = [path for path in sys.path if path]
    if executable:
        own = f"{sys.version_info[0]}.{sys.version_info[1]}"
        if own != version:
            raise RuntimeError(
                f"the embedded Python is {own}, the one with TVM is {version}; build node-calls-python with "
                f"Python {version}, or use the zeromq channel"
            )
        import site

        sys.executable = executable
        for folder in sites:
            site.addsitedir(folder)
    # Absolute: a bridge may load this file by its path, outside the package.
    from familyseer.needed import hindrance

    hindered = hindrance()
    if hindered:
        raise RuntimeError(hindered)
    from familyseer.wire.session import Session
    from familyseer.worker import operations

    outgoing: queue.Queue[bytes] = queue.Queue()
    session = Session()
    serving = (outgoing.put, operations)
    thread = threading.Thread(target=session.serve, args=serving, name="familyseer worker", daemon=True)
    thread.start()
    handle = len(_workers)
    _workers[handle] = (session, outgoing, thread)
    return handle


def send(handle: int, text: str) -> None:
    _workers[handle][0].deliver(base64.b64decode(text))


def receive(handle: int, seconds: float) -> str:
    """The next message, or an empty text if none came in time."""
    try:
        return base64.b64encode(_workers[handle][1].get(timeout=seconds)).decode()
    except queue.Empty:
        return ""


def close_worker(handle: int) -> None:
    session, _, thread = _workers[handle]
    session.end()
    thread.join(timeout=5)
