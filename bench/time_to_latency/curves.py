"""From measured programs to curves of network latency, and how two curves compare. Pure; seconds everywhere."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """A program as its run measured it, `seconds` after the run began. `cost` is None if it failed."""

    task: int
    program: str
    """The same for equal programs."""
    cost: float | None
    seconds: float


@dataclass(frozen=True)
class Improvement:
    """A program that was its task's best so far when it was measured, as the `programs`-th of its run."""

    task: int
    program: str
    seconds: float
    programs: int


@dataclass(frozen=True)
class Point:
    """The network takes `latency` from `seconds` and `programs` on, until the next point."""

    seconds: float
    programs: int
    latency: float


@dataclass(frozen=True)
class Curve:
    """A run's latency over time; undefined, that is infinite, before the first point. `seconds` and `programs` are the
    whole run's."""

    points: tuple[Point, ...]
    seconds: float
    programs: int

    @property
    def end(self) -> float:
        return self.points[-1].latency if self.points else math.inf

    def at(self, seconds: float) -> float:
        """The latency after so many seconds."""
        return next((point.latency for point in reversed(self.points) if point.seconds <= seconds), math.inf)

    def after(self, programs: int) -> float:
        """The latency after so many programs."""
        return next((point.latency for point in reversed(self.points) if point.programs <= programs), math.inf)

    def first_within(self, latency: float) -> Point | None:
        return next((point for point in self.points if point.latency <= latency), None)

    def within_for_good(self, latency: float) -> Point | None:
        """From where on it never is above `latency` again: a program that the run takes for better may be worse."""
        first = None
        for point in reversed(self.points):
            if point.latency > latency:
                break
            first = point
        return first


def improvements(run: Sequence[Measured]) -> list[Improvement]:
    """The programs that the run itself had reason to believe best."""
    best: dict[int, float] = {}
    found = []
    for index, one in enumerate(run):
        if one.cost is not None and one.cost < best.get(one.task, math.inf):
            best[one.task] = one.cost
            found.append(Improvement(one.task, one.program, one.seconds, index + 1))
    return found


def without(found: Sequence[Improvement], failed: Collection[str]) -> list[Improvement]:
    """As if the programs that failed when timed again had not been found: the best before them stays."""
    return [one for one in found if one.program not in failed]


def moments(found: Sequence[Improvement], tasks: Collection[int]) -> Iterator[tuple[Improvement, dict[int, str]]]:
    """Every moment from which on the best programs of all tasks were these. Begins once each task has one."""
    best: dict[int, str] = {}
    for one in found:
        if one.task in tasks:
            best[one.task] = one.program
            if len(best) == len(tasks):
                yield one, dict(best)


def needed(found: Sequence[Improvement], tasks: Collection[int]) -> set[str]:
    """The programs that the curve is made of."""
    return {program for _, best in moments(found, tasks) for program in best.values()}


def curve(
    found: Sequence[Improvement],
    weights: Mapping[int, float],
    costs: Mapping[str, float],
    seconds: float,
    programs: int,
) -> Curve:
    """The network's latency as the sum over `weights`' tasks of weight times `costs` of the program believed best."""
    points = tuple(
        Point(one.seconds, one.programs, sum(weight * costs[best[task]] for task, weight in weights.items()))
        for one, best in moments(found, weights)
    )
    return Curve(points, seconds, programs)


def over(ours: float, tvm: float) -> float | None:
    """A latency over TVM's. Zero if only TVM had none, infinite if only ours had none, None if neither had one."""
    if math.isinf(ours):
        return None if math.isinf(tvm) else math.inf
    return ours / tvm


def at_equal_programs(ours: Curve, tvm: Curve, programs: int) -> float | None:
    """The latency over TVM's after as many programs of both; None too if either measured fewer."""
    return None if programs > min(ours.programs, tvm.programs) else over(ours.after(programs), tvm.after(programs))


@dataclass(frozen=True)
class Reached:
    """When a curve is within some per cent of TVM's end, `first` or `for_good`; None: never."""

    first: Point | None
    for_good: Point | None


@dataclass(frozen=True)
class Ratios:
    """Seconds and programs over TVM's: over what TVM itself took to get there, and over TVM's whole run. Infinite if
    never reached."""

    seconds: float
    programs: float
    seconds_of_whole: float
    programs_of_whole: float


def reached(side: Curve, tvm: Curve, per_cent: float) -> Reached:
    latency = tvm.end * (1 + per_cent / 100)
    return Reached(side.first_within(latency), side.within_for_good(latency))


def ratios(side: Point | None, own: Point, tvm: Curve) -> Ratios:
    """`own` is where TVM itself got there: the first time for a first time, for good for one for good."""
    if side is None:
        return Ratios(math.inf, math.inf, math.inf, math.inf)
    return Ratios(
        side.seconds / own.seconds,
        side.programs / own.programs,
        side.seconds / tvm.seconds,
        side.programs / tvm.programs,
    )
