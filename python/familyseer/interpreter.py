"""How this process starts Pythons of its own kind: what it can import, but for the current folder's files."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def command(module: str, *arguments: str) -> list[str]:
    """Runs a module, of this package or of what `environment` lets be imported."""
    return [sys.executable, str(Path(__file__).with_name("start.py")), module, *arguments]


def environment(**variables: str) -> dict[str, str]:
    """This process's own, and `variables`. PYTHONPATH holds all that this process imports from, but for the current
    folder where nobody named it."""
    # A path with a colon in it cannot be named there.
    paths = [os.path.abspath(path) for path in sys.path if path and os.pathsep not in path]  # noqa: PTH100, a link's name stays
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **variables}
