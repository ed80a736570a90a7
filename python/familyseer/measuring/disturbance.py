"""Which timings other work disturbed, and which programs are then timed again.

A program's threads wait for CPUs that other work has (cpu_waits.py). On a quiet machine, where a job's own processes
write down what was measured before, they do so for a hundredth to a tenth of a timing; beside one busy process for as
long as the timing takes.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .run import Ran

# A timing is disturbed if its threads waited so many seconds for each second that it took.
_DISTURBED = 0.2
# A program is timed so often at most, and timing again takes so much of all timing at most, but for the first seconds.
_MOST_TIMINGS = 3
_MOST_SHARE = 0.25
_FREE_SECONDS = 1.0


def is_disturbed(waited: float | None) -> bool:
    """Whether other work disturbed a timing whose threads waited so many seconds for each second of it."""
    return waited is not None and waited > _DISTURBED


def undisturbed_cost(cost: float, waited: float | None) -> float:
    """What a program of that cost in seconds is expected to take where it waits for nothing: beside one and two busy
    processes one of 5 ms took 2.0 and 2.1 times as long, and its threads waited 0.7 and 1.1 of its time.

    Of programs of a fraction of a millisecond that is too much: their threads wait for one another.
    """
    return cost / (1 + (waited or 0.0))


def kept(timed: Sequence[Ran]) -> Ran:
    """Which of a program's timings counts: the last if nothing disturbed it, else the least. Each before it was."""
    return timed[-1] if not is_disturbed(timed[-1].waited) else min(timed, key=lambda ran: statistics.fmean(ran.costs))


class Retiming:
    """Chooses programs to time again: those that were disturbed and may be their task's best."""

    def __init__(self, wanted: bool) -> None:
        """Not `wanted`: none is."""
        self._wanted = wanted
        self._all_seconds = 0.0
        self._again_seconds = 0.0

    def again(self, timed: Sequence[Ran], best: float) -> bool:
        """Whether a program of these timings, the last of them new, is to be timed again; `best` is the least cost of
        its task's so far, its own among them, in seconds."""
        last = timed[-1]
        self._all_seconds += last.seconds
        self._again_seconds += last.seconds if len(timed) > 1 else 0.0
        return (
            self._wanted
            and is_disturbed(last.waited)
            and undisturbed_cost(statistics.fmean(last.costs), last.waited) < best
            and len(timed) < _MOST_TIMINGS
            and self._again_seconds + last.seconds <= max(_FREE_SECONDS, _MOST_SHARE * self._all_seconds)
        )
