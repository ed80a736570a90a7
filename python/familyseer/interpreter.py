"""How this process starts Pythons of its own kind: what it can import, but for the current folder's files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .needed import variables_of_tvm


def command(module: str, *arguments: str) -> list[str]:
    """Runs a module, of this package or of what `environment` lets be imported."""
    return [sys.executable, str(Path(__file__).with_name("start.py")), module, *arguments]


def environment(**variables: str) -> dict[str, str]:
    """This process's own, and `variables`. PYTHONPATH holds all that this process imports from, but for the current
    folder where nobody named it; what is started from there does not look in it either (from Python 3.11 on)."""
    # A path with a colon in it cannot be named there.
    paths = [os.path.abspath(path) for path in sys.path if path and os.pathsep not in path]  # noqa: PTH100, a link's name stays
    ours = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
    return {**variables_of_tvm(), **os.environ, **ours, **variables}


@contextmanager
def with_variables(variables: Mapping[str, str]) -> Iterator[None]:
    """This process's environment has some variables, meanwhile: for libraries that cannot be told otherwise."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def import_tvm() -> None:
    """Imports TVM, also where it cannot make its folder in the home."""
    if "tvm" in sys.modules:
        return
    with with_variables({name: value for name, value in variables_of_tvm().items() if name not in os.environ}):
        import tvm  # noqa: F401
