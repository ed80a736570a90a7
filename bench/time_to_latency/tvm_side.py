"""One tuning by TVM's own TaskScheduler with its default settings, in a process of its own.

Writes TVM's records to `records.json` and, in the same order, the seconds from the beginning of the tuning to
`seconds.json`. Its clock stands still while it waits for `--lock`, which it holds during each round: other work can be
done between rounds without disturbing it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from familyseer.networks import LAYOUTS
from familyseer.tasks import extract, parse_target
from tvm import auto_scheduler
from tvm.auto_scheduler import task_scheduler
from tvm.auto_scheduler.measure import PythonBasedMeasureCallback


class Clock:
    """Seconds since it was made, without those spent waiting for the lock."""

    def __init__(self, lock: Path | None) -> None:
        self._begun = time.time()
        self._lock = lock
        self._waited = 0.0

    def at(self, timestamp: float) -> float:
        return timestamp - self._begun - self._waited

    @contextlib.contextmanager
    def undisturbed(self) -> Iterator[None]:
        if self._lock is None:
            yield
            return
        with self._lock.open("w") as file:
            begun = time.time()
            # Others that wait for it may have it first.
            time.sleep(0.5)
            fcntl.flock(file, fcntl.LOCK_EX)
            self._waited += time.time() - begun
            yield


class Seconds(PythonBasedMeasureCallback):
    """Notes when each program was measured."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.seconds: list[float] = []

    def callback(self, policy: Any, inputs: Any, results: Any) -> None:
        self.seconds += [self._clock.at(float(result.timestamp)) for result in results]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", required=True)
    parser.add_argument("--layout", choices=LAYOUTS, default="NHWC")
    parser.add_argument("--tasks", type=int, nargs="*", default=[])
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lock", type=Path)
    arguments = parser.parse_args()

    task_list = extract(arguments.network, 1, arguments.layout, parse_target("native"), arguments.cache)
    chosen = arguments.tasks or range(len(task_list.tasks))
    random.seed(arguments.seed)
    np.random.seed(arguments.seed)
    clock = Clock(arguments.lock)

    class Alternating(task_scheduler.TaskScheduler):
        def _tune_task(self, task: int) -> None:
            with clock.undisturbed():
                super()._tune_task(task)

    seconds = Seconds(clock)
    option = auto_scheduler.TuningOptions(
        num_measure_trials=arguments.trials,
        measure_callbacks=[auto_scheduler.RecordToFile(str(arguments.out / "records.json")), seconds],
    )
    scheduler = Alternating([task_list.tasks[index] for index in chosen], [task_list.weights[index] for index in chosen])
    scheduler.tune(option)
    end = clock.at(time.time())
    (arguments.out / "seconds.json").write_text(json.dumps({"seconds": seconds.seconds, "end": end}))


if __name__ == "__main__":
    main()
