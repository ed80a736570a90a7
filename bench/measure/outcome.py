"""What one side took for the same programs, and how the sides are held against each other."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from familyseer.measuring.engine import Engine
from familyseer.measuring.program import Measured, Program
from familyseer.measuring.run import Timing


@dataclass
class Outcome:
    """One side's costs in seconds, and the seconds it took for them.

    The floor is what cannot be saved by moving programs better: processor seconds of ours for building, over the cores,
    and the seconds in which programs were being timed.
    """

    seconds: float
    costs: list[float]
    floor: float = 0.0


def by_engine(engine: Engine, programs: Sequence[Program], timing: Timing, failed_cost: float) -> Outcome:
    begun = time.monotonic()
    measured: list[Measured] = [future.result() for future in [engine.submit(each, timing) for each in programs]]
    seconds = time.monotonic() - begun
    cores = os.cpu_count() or 1
    floor = sum(each.build_cpu_seconds / cores + each.timing_seconds for each in measured)
    return Outcome(seconds, [statistics.fmean(each.costs or [failed_cost]) for each in measured], floor)


def show(figure: str, values: list[float]) -> None:
    print(f"{figure}: {statistics.median(values):.3f} (min {min(values):.3f}, max {max(values):.3f})")
