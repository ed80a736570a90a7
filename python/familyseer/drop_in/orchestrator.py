"""Finds the Node orchestrator, and runs it for as long as one `tune` of the drop-in TaskScheduler takes."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Callable
from urllib.parse import urlparse
from urllib.request import url2pathname

import psutil

from ..errors import InstallationError

ENTRY = Path("dist", "src", "drop-in", "main.js")
OLDEST_NODE = 20
# What is started while `tune` runs is found by this variable when this process is killed; see mark_children().
MARK = "FAMILYSEER_TUNING"
# The path of a Unix socket has at most 107 bytes.
_LONGEST_FOLDER = 80
_LAST_WORD = 2.0

_marks: list[str] = []
_marks_lock = threading.Lock()


class Orchestrator:
    """A Node process in a session of its own, so that a terminal's Ctrl-C reaches only the user's process."""

    def __init__(self, mark: str) -> None:
        """Starts it. Raises InstallationError if Node or the orchestrator is not there."""
        node, package = find_node(), find_node_package()
        self._folder = _private_folder()
        self._output = self._folder / "output"
        self.endpoint = f"ipc://{self._folder}/orchestrator"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [node, str(package / ENTRY), self.endpoint, str(os.getpid()), f"{MARK}={mark}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={name: value for name, value in os.environ.items() if name != MARK},
            )
        self._closing = threading.Event()

    @property
    def pid(self) -> int:
        return self._process.pid

    def watch(self, lost: Callable[[str], None]) -> None:
        """Calls `lost`, on a thread of its own, if the process ends before `close`."""
        threading.Thread(target=self._wait, args=(lost,), name="familyseer orchestrator", daemon=True).start()

    def close(self, grace: float) -> None:
        """Ends the process, by force after `grace` seconds, and leaves nothing of it."""
        self._closing.set()
        try:
            self._process.wait(timeout=grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self, lost: Callable[[str], None]) -> None:
        code = self._process.wait()
        # One that ends well says so first, but that word may still be on its way.
        if not self._closing.wait(timeout=_LAST_WORD if code == 0 else 0):
            lost(f"the orchestrator exited with code {code}{self._last_output()}")

    def _last_output(self) -> str:
        try:
            lines = self._output.read_text(errors="replace").splitlines()[-20:]
        except OSError:
            return ""
        return "; its last lines of output:\n  " + "\n  ".join(lines) if lines else ""


@contextlib.contextmanager
def mark_children() -> Iterator[str]:
    """Marks the processes that are started meanwhile, so that the orchestrator can end them if this one is killed."""
    with _marks_lock:
        if not _marks:
            os.environ[MARK] = uuid.uuid4().hex
        mark = os.environ[MARK]
        _marks.append(mark)
    try:
        yield mark
    finally:
        with _marks_lock:
            _marks.pop()
            if not _marks:
                os.environ.pop(MARK, None)


def end_marked_children(mark: str) -> None:
    """Ends the builders and runners that a tuning cut short left at work; TVM's own threads wait for them.

    Where another tuning is going on in this process, whose they are cannot be told, and they end by themselves.
    """
    with _marks_lock:
        if _marks.count(mark) > 1:
            return
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if child.environ().get(MARK) == mark:
                child.kill()


def find_node() -> str:
    """The Node to run: `$FAMILYSEER_NODE`, or `node` on the PATH."""
    named = os.environ.get("FAMILYSEER_NODE") or "node"
    node = shutil.which(named)
    if node is None:
        raise InstallationError(
            f"There is no {named} to run the orchestrator with. Install Node {OLDEST_NODE} or newer (nodejs.org, or "
            "your system's nodejs package) so that `node` is on the PATH, or name it by FAMILYSEER_NODE."
        )
    return node


def find_node_package() -> Path:
    """The folder of the built npm package: named, the clone this was installed from, or the one on the PATH."""
    named = os.environ.get("FAMILYSEER_PACKAGE")
    if named and not (Path(named) / ENTRY).is_file():
        raise InstallationError(
            f"FAMILYSEER_PACKAGE names {named}, where there is no {ENTRY}. Expected the folder of the npm package "
            "familyseer, or of a clone in which `npm run setup` was run; or no FAMILYSEER_PACKAGE."
        )
    if named:
        return Path(named)
    places = [place for place in _package_places() if place is not None]
    for place in places:
        if (place / ENTRY).is_file():
            return place
    tried = ", ".join(str(place) for place in places) or "nowhere"
    raise InstallationError(
        f"The orchestrator is not built (looked for {ENTRY} in {tried}). Run `npm run setup` in a clone of familyseer "
        "and name that by FAMILYSEER_PACKAGE, or install the npm package familyseer globally."
    )


def _package_places() -> list[Path | None]:
    command = shutil.which("familyseer")
    return [
        Path(__file__).resolve().parents[3],
        _clone_of_installation(),
        Path(command).resolve().parents[1] if command else None,
    ]


def _clone_of_installation() -> Path | None:
    """Where `pip install ./python` took this package from (PEP 610)."""
    try:
        text = importlib.metadata.distribution("familyseer").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return None
    url = urlparse(json.loads(text)["url"]) if text else None
    return Path(url2pathname(url.path)).parent if url and url.scheme == "file" else None


def _private_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="familyseer-")
    if len(os.fsencode(folder)) > _LONGEST_FOLDER:
        Path(folder).rmdir()
        folder = tempfile.mkdtemp(prefix="familyseer-", dir="/tmp")
    return Path(folder)
