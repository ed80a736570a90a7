"""Folders of temporary files that are gone when the process that made them is, however that ended.

A folder is locked, by the kernel, for as long as its process lives; what one that was killed left is removed when the
next is made.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

# A folder may not be locked yet, so long after it was made.
_LOCKED_BY_THEN_SECONDS = 60.0

_locks: dict[str, int] = {}


def make_folder(prefix: str) -> str:
    """A new folder among the temporary files, for this process alone."""
    _remove_abandoned(prefix)
    folder = tempfile.mkdtemp(prefix=prefix)
    _locks[folder] = os.open(folder, os.O_RDONLY)
    fcntl.flock(_locks[folder], fcntl.LOCK_EX)
    return folder


def remove_folder(folder: str) -> None:
    """Removes what `make_folder` made; may be called again."""
    shutil.rmtree(folder, ignore_errors=True)
    lock = _locks.pop(folder, None)
    if lock is not None:
        os.close(lock)


def remove_folders() -> None:
    """Removes all that this process made."""
    for folder in list(_locks):
        remove_folder(folder)


def _remove_abandoned(prefix: str) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        # Another user's, or gone already.
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _LOCKED_BY_THEN_SECONDS and not _is_locked(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_locked(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
