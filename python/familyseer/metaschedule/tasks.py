"""From a network's name to the tasks to tune, extracted once and cached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tvm

    from ..backend import Description
    from ..wire import messages
    from .target import MetaTarget


@dataclass(frozen=True)
class ExtractedTask:
    """A task as TVM extracts it: its name, and the module with its one PrimFunc, `main`."""

    name: str
    module: tvm.IRModule


@dataclass(frozen=True)
class TaskList:
    """The tasks of one network for one target, with how often the network runs each."""

    tasks: list[ExtractedTask]
    weights: list[int]
    from_cache: bool
    # What the network is compiled for, as the other side knows it (protocol, `extract`).
    inputs: list[messages.DescribedInput]


def extract(
    model: str,
    batch: int,
    layout: str,
    target: MetaTarget,
    folder: Path | None,
    inputs: Sequence[dict[str, Any]] = (),
    block: tuple[int, int] | None = None,
) -> TaskList:
    raise NotImplementedError


def describe(task: ExtractedTask) -> Description:
    """What the task computes (backend.py, `Description`)."""
    raise NotImplementedError
