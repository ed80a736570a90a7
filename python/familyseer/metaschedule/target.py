"""Targets as users write them, for a TVM that takes them as dictionaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tvm


@dataclass(frozen=True)
class MetaTarget:
    """What programs are compiled for: as files name it (`llvm -mcpu=znver4 -num-cores=2`), and as TVM has it."""

    text: str
    tvm: tvm.target.Target

    def __str__(self) -> str:
        return self.text


def parse_target(text: str) -> MetaTarget:
    raise NotImplementedError


def text_of(target: tvm.target.Target) -> str:
    """A target of TVM's as files name it; equal targets have equal texts."""
    raise NotImplementedError
