"""The worker as a process: `python -m familyseer.worker --connect ENDPOINT` serves one orchestrator over ZeroMQ.

One that an orchestrator started ends when its standard input does. One that a user started on another host, with
`--keys FOLDER`, ends when its connection does.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NoReturn

from ..needed import hindrance

if TYPE_CHECKING:
    from .curve import ClientKeys
    from .session import Performer

# How long processes that were killed may take to be gone; one in the kernel's hands may never be.
_KILLED_SECONDS = 2.0


def main(make_performer: Callable[[], Performer]) -> None:
    """Serves one orchestrator, as the arguments of the process say; what it asks for, the performer does."""
    parser = argparse.ArgumentParser(prog="familyseer.worker", description=__doc__)
    parser.add_argument("--connect", required=True, metavar="ENDPOINT", help="ipc://PATH or tcp://HOST:PORT")
    parser.add_argument(
        "--keys",
        metavar="FOLDER",
        help="for tcp: the folder `client` that `familyseer keys` made; -: a line of standard input has them",
    )
    parser.add_argument(
        "--folder",
        metavar="FOLDER",
        help="of this worker alone, such as the TMPDIR it was given; removed at its end",
    )
    arguments = parser.parse_args()
    if arguments.connect.startswith("tcp://") and arguments.keys is None:
        sys.exit(f"{arguments.connect} needs --keys: nothing is sent over tcp without. `familyseer keys` makes them.")
    hindered = hindrance()
    if hindered:
        sys.exit(hindered)
    try:
        _serve(make_performer, arguments.connect, arguments.keys, arguments.folder)
    finally:
        _remove(arguments.folder)


def _serve(make_performer: Callable[[], Performer], endpoint: str, keys: str | None, folder: str | None) -> None:
    from .channel import Channel
    from .session import Session

    session = Session()
    own = keys not in (None, "-")
    channel = Channel(endpoint, session.deliver, _keys(keys), lost=_end_without_orchestrator if own else None)
    if not own:
        threading.Thread(target=_end_with_parent, args=(folder,), name="parent watch", daemon=True).start()
    session.serve(channel.send, make_performer)
    channel.close()
    if session.refusal:
        sys.exit(f"The orchestrator ended the session: {session.refusal.reason}")


def _keys(named: str | None) -> ClientKeys | None:
    from .curve import KeysError, read_keys, receive_keys

    if named is None:
        return None
    try:
        return receive_keys(sys.stdin) if named == "-" else read_keys(Path(named))
    except KeysError as error:
        sys.exit(str(error))


def _end_with_parent(folder: str | None) -> NoReturn:
    """Ends this process and all it started when the orchestrator, which holds our standard input, is gone."""
    while os.read(0, 4096):
        pass
    _end_children()
    _remove(folder)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _end_without_orchestrator(reason: str) -> NoReturn:
    """Ends this process and all it started; it may share its process group with the user's shell."""
    print(f"The worker ends: the orchestrator at {reason}.", file=sys.stderr, flush=True)
    _end_children()
    os._exit(1)


def _remove(folder: str | None) -> None:
    """The orchestrator does that, too, unless it is killed before."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _end_children() -> None:
    import psutil

    from ..temporary import remove_folders

    children = psutil.Process().children(recursive=True)
    for child in children:
        with contextlib.suppress(psutil.Error):
            child.kill()
    psutil.wait_procs(children, _KILLED_SECONDS)
    remove_folders()
