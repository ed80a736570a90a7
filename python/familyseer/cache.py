"""Files of a cache: an entry that others may have written is not believed."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

# What a kill can leave of a file begins with this.
UNFINISHED = "unfinished-"


def entry_of(folder: Path, kind: str, suffix: str, *key: object) -> Path:
    """Where what belongs to a key lies; the key by what its parts print as."""
    return folder / f"{kind}-{hashlib.sha256(repr(key).encode()).hexdigest()[:24]}{suffix}"


def read(entry: Path) -> bytes | None:
    """None if there is none, or anyone but this user can have written it."""
    try:
        with entry.open("rb") as file:
            if not (_only_ours(os.fstat(file.fileno())) and _only_ours(entry.parent.stat())):
                return None
            return file.read()
    except FileNotFoundError:
        return None


def write(entry: Path, content: bytes) -> None:
    """Whole or not at all. Raises OSError, as of a full disk; then nothing of it is left."""
    entry.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=entry.parent, prefix=UNFINISHED, delete=False) as file:
        try:
            file.write(content)
            file.close()
            Path(file.name).replace(entry)
        except OSError:
            Path(file.name).unlink()
            raise


def _only_ours(status: os.stat_result) -> bool:
    """Whether nobody else can have written a file, or put one into a folder."""
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
