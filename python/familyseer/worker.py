"""Our worker, which does the operations of `operations/`: `python -m familyseer.worker --connect ENDPOINT`."""

from __future__ import annotations

import os
import sys

# `python -m` looks in the current folder first, where a user's `random.py` may lie. Unless this package lies there.
# ruff: noqa: PTH100, PTH109, PTH120 (pathlib would be looked for there, too)
if sys.path[0] == os.getcwd() != os.path.dirname(os.path.dirname(os.path.abspath(__file__))):
    del sys.path[0]

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .wire.session import Performer


def operations() -> Performer:
    # Imports TVM, which takes seconds: not before the session's heart beats.
    from .backends import default_backend
    from .operations import Operations

    return Operations(default_backend())


if __name__ == "__main__":
    from .wire.main import main

    main(operations)
