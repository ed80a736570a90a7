"""A task by what its records and models need of it, without its search."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tvm_ffi import structural_hash

from . import features
from .context import Space

if TYPE_CHECKING:
    import tvm
    from numpy.typing import NDArray

    from .target import MetaTarget
    from .tasks import ExtractedTask

# The features of so many programs are kept for each task: some 2 MB.
_KNOWN = 512


class BareTask:
    """An extracted task, and its place among a network's. A program is a `tvm.s_tir.Schedule`, after
    postprocessing."""

    def __init__(self, number: int, extracted: ExtractedTask, target: MetaTarget) -> None:
        self.number = number
        # The number by which lines of a database name it.
        self.workload = number
        self.extracted = extracted
        self.target = target
        # The newest features, by the programs' keys.
        self._known: dict[str, NDArray[Any]] = {}

    @property
    def module(self) -> tvm.IRModule:
        return self.extracted.module

    @cached_property
    def space(self) -> Space:
        return Space(self.module, self.target.tvm)

    def key(self, program: tvm.s_tir.Schedule) -> str:
        return hash_of(program.mod)

    def refusal(self, program: tvm.s_tir.Schedule) -> str | None:
        """Programs passed TVM's postprocessors, for a GPU VerifyGPUCode among them, when they were made."""
        return None if self.features([program])[0].any() else features.refusal(program, self.space.context)

    def features(self, programs: Sequence[tvm.s_tir.Schedule]) -> list[NDArray[Any]]:
        """[stores, 164] of each program. TVM takes milliseconds for each, and the same are asked for again and again:
        to choose them, to hold a model against them, and to train it."""
        keys = [self.key(program) for program in programs]
        new = {key: program for key, program in zip(keys, programs) if key not in self._known}
        found = dict(zip(new, features.of_programs(list(new.values()), self.space.context)))
        rows = [found[key] if key in found else self._known[key] for key in keys]
        self._known.update(found)
        for key in list(self._known)[:-_KNOWN]:
            del self._known[key]
        return rows


def hash_of(module: tvm.IRModule) -> str:
    """The same for modules of one structure, in every process."""
    return f"{structural_hash(module) & ((1 << 64) - 1):016x}"
