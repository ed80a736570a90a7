"""Throughput of 1, 2 and 4 RPC servers whose programs mostly wait, and programs lost when one of four is killed.

The programs sleep, so that this machine's cores do not limit what the servers can do.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from tvm import auto_scheduler
from tvm.testing.auto_scheduler import matmul_auto_scheduler_test

from ..ansor.programs import PRELOAD, AnsorProgram
from ..measuring.devices import TrackerDevices
from ..measuring.engine import Engine, EngineSettings
from ..measuring.program import Measured
from ..measuring.run import Timing
from ..measuring.servers import LocalServers
from .programs_in_c import linked_from_c

REPEATS = 3
PROGRAMS_PER_DEVICE = 12
# Run twice, once to warm up.
SLEEP_MICROSECONDS = 400_000
TIMING = Timing(number=1, repeat=1, min_repeat_ms=0)


def programs() -> list[Any]:
    task = auto_scheduler.SearchTask(func=matmul_auto_scheduler_test, args=(16, 16, 16), target="llvm")
    params = {"sample_init_min_population": 64, "evolutionary_search_population": 64}
    policy = auto_scheduler.SketchPolicy(task, auto_scheduler.RandomModel(), params=params, verbose=0, seed=0)
    return [auto_scheduler.MeasureInput(task, state) for state in policy.sample_initial_population()]


class Measuring:
    """An engine on so many servers; every one has run a program before anything is timed."""

    def __init__(self, count: int, inputs: list[Any]) -> None:
        self._servers = LocalServers(count)
        devices = TrackerDevices(self._servers.tracker, self._servers.key, self._servers, exclusive=False)
        link = linked_from_c(f"usleep({SLEEP_MICROSECONDS});")
        self._engine = Engine(EngineSettings(build_func=link), devices, PRELOAD)
        self._inputs = inputs
        self.measure(2 * count)

    def submit(self, count: int) -> list[Any]:
        chosen = (self._inputs[index % len(self._inputs)] for index in range(count))
        return [self._engine.submit(AnsorProgram(one), TIMING) for one in chosen]

    def measure(self, count: int) -> list[Measured]:
        return [future.result() for future in self.submit(count)]

    def close(self) -> None:
        self._engine.close()


def throughput(count: int, inputs: list[Any]) -> list[float]:
    """Programs per second, measured REPEATS times."""
    measuring = Measuring(count, inputs)
    rates = []
    for _ in range(REPEATS):
        begun = time.monotonic()
        number = len(measuring.measure(count * PROGRAMS_PER_DEVICE))
        rates.append(number / (time.monotonic() - begun))
    measuring.close()
    return rates


def kill_one_of_four(inputs: list[Any]) -> int:
    """One of four servers is killed half way; it is started again by itself. Returns how many programs failed."""
    measuring = Measuring(4, inputs)
    futures = measuring.submit(4 * PROGRAMS_PER_DEVICE * 2)
    next(future for future in futures[len(futures) // 2 :]).result()
    victim = next(
        process
        for process in psutil.Process().children(recursive=True)
        if "familyseer.measuring.server_process" in process.cmdline() and "server" in process.cmdline()
    )
    os.kill(victim.pid, signal.SIGKILL)
    measured = [future.result() for future in futures]
    failed = sum(each.failure is not None for each in measured)
    devices = Counter(each.device for each in measured)
    measuring.close()
    print(f"one of four killed half way: {len(measured)} results for {len(futures)} programs, {failed} failed")
    print("  by device: " + ", ".join(str(count) for count in devices.values()))
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    inputs = programs()
    rates = {count: throughput(count, inputs) for count in (1, 2, 4)}
    one = statistics.median(rates[1])
    failed = kill_one_of_four(inputs)
    for count, measured in rates.items():
        print(
            f"{count} servers: {statistics.median(measured):.2f} programs/s "
            f"(min {min(measured):.2f}, max {max(measured):.2f}); "
            f"per device, relative to 1: {statistics.median(measured) / count / one:.3f}"
        )
    print(f"throughput per device at 4, relative to 1: {statistics.median(rates[4]) / 4 / one:.3f}")
    if arguments.out:
        programs_per_second = [{"servers": count, "rates": measured} for count, measured in rates.items()]
        arguments.out.write_text(json.dumps({"throughput": programs_per_second, "failed_of_killed": failed}))


if __name__ == "__main__":
    main()
