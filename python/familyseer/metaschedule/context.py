"""What TVM asks of a task: its context, the designs that its programs are made by, and the postprocessors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tvm.s_tir import Schedule, Trace
from tvm.s_tir.meta_schedule import TuneContext

from ..measuring.cpus import allowed_cpus
from . import intrinsics
from .traces import body_of

if TYPE_CHECKING:
    import tvm
    from tvm.s_tir.meta_schedule.search_strategy import SearchStrategy

# Which decision an instruction of a trace gets: by its place, the schedule so far, the instruction, and its inputs.
Decide = Callable[[int, Schedule, Any, Sequence[Any]], Any]
# Where TVM draws at random though nothing should be, as in some postprocessors, it draws the same each time.
_SEED = 1
# TVM writes to it what it samples and evolves; all that matters comes back as programs, or as a record.
_QUIET = logging.getLogger(f"{__name__}.quiet")
_QUIET.setLevel(logging.CRITICAL)
_QUIET.propagate = False


def tune_context(
    module: tvm.IRModule,
    target: tvm.target.Target,
    strategy: SearchStrategy | None = None,
    seed: int = _SEED,
    threads: int = 1,
) -> TuneContext:
    """TVM's context of a task. Whoever keeps `strategy` keeps the context, which it points to.

    With more than one thread what TVM draws depends on which was faster. `seed` is from 1 on.
    """
    intrinsics.load(target)
    return TuneContext(
        module,
        target=target,
        space_generator="post-order-apply",
        search_strategy=strategy,
        rand_state=seed,
        num_threads=threads,
        logger=_QUIET,
    )


class Space:
    """The programs that there are of a task. TVM finds out once what they have in common."""

    def __init__(self, module: tvm.IRModule, target: tvm.target.Target) -> None:
        self.module = module
        self.target = target

    @cached_property
    def context(self) -> TuneContext:
        """Without a search. What it extracts it does on every core that there is for it, the same each time."""
        return tune_context(self.module, self.target, threads=len(allowed_cpus()))

    @cached_property
    def designs(self) -> list[Schedule]:
        """A schedule for each structure that programs have; its decisions do not count."""
        return list(self.context.generate_design_space())

    @cached_property
    def design_traces(self) -> list[Trace]:
        """Traces of the designs, without postprocessing, as TVM's search replays them."""
        return [design.trace.simplified(True) for design in self.designs]

    def made_by(self, trace: Trace, decide: Decide) -> Schedule | None:
        """The program that a trace makes, its postprocessing anew; None where TVM rejects it."""
        schedule = self._empty()
        try:
            trace.apply_to_schedule(schedule, True, _counted(schedule, decide))
            schedule.enter_postproc()
            valid = all(each.apply(schedule) for each in self.context.space_generator.postprocs)
        except Exception:
            return None
        return schedule if valid else None

    def replayed(self, trace: Sequence[Any]) -> Schedule | None:
        """The program that a trace as data makes, its postprocessing as it says; None where TVM rejects it."""
        schedule = self._empty()
        try:
            Trace.apply_json_to_schedule(trace, schedule)
        except Exception:
            return None
        return schedule

    def unfinished(self, program: Schedule) -> Schedule:
        """A program without its postprocessing."""
        schedule = self._empty()
        body_of(program.trace).apply_to_schedule(schedule, True)
        return schedule

    def _empty(self) -> Schedule:
        return Schedule(self.module, seed=_SEED, debug_mask="none", error_render_level="none")


def _counted(schedule: Schedule, decide: Decide) -> Callable[[Any, Any, Any, Any], Any]:
    count = iter(range(1 << 31))
    return lambda instruction, inputs, _attributes, _decision: decide(next(count), schedule, instruction, inputs)
