"""Builders give way to programs that are timed on this machine's CPUs: to other CPUs, or by standing still."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cpus import Cpus
    from .fork_server import Child
    from .work import Work


class GivingWay:
    """Who may use which of the CPUs while a program is timed, and when none is."""

    def __init__(self, cpus: Cpus) -> None:
        self._cpus = cpus

    def give_way(self, builders: Iterable[Work]) -> None:
        """Keeps builders off the CPUs on which a program is timed."""
        for work in builders:
            if self._cpus.others:
                self._cpus.confine(work.child.pid, self._cpus.others)
            else:
                work.pause()

    def keep_on_timed(self, runner: Child) -> None:
        """Keeps a runner on those CPUs."""
        if self._cpus.others:
            self._cpus.confine(runner.pid, self._cpus.timing)

    def take_back(self, builders: Iterable[Work]) -> None:
        """No program is timed."""
        for work in builders:
            if self._cpus.others:
                self._cpus.confine(work.child.pid, self._cpus.all)
            work.resume()
