"""Libraries of whole networks, which plain TVM loads and runs."""

from __future__ import annotations


def check_library(file: str) -> None:
    raise NotImplementedError
