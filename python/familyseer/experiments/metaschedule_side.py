"""One tuning by `ms.tune_tasks` with its defaults, in a process of its own: as it is (`tvm`), with the intrinsics of
its target alone (`mended`), or so by the drop-in, with the original FamilySeer's decisions (`familyseer`).

Writes TVM's database to a folder and, in the order of its records, the seconds from the beginning of the tuning to
`seconds.json` there. It begins where it has the tasks. Its clock stands still while it waits for `--lock`, which it
holds during each round: other work can be done in between.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from tvm.ir.utils import derived_object
from tvm.s_tir import meta_schedule as ms
from tvm.s_tir.meta_schedule.utils import fork_seed

from ..drop_in.metaschedule import TaskScheduler
from ..metaschedule import intrinsics
from ..metaschedule.target import parse_target
from ..metaschedule.tasks import extract
from ..networks import LAYOUTS
from .clock import Clock

SCHEDULERS = ("tvm", "mended", "familyseer")


@derived_object
class Stamped(ms.runner.PyRunner):
    """TVM's runner, which runs one program after the other, and notes by its artifact when each was measured.

    After each round it lets others have the lock, as TVM neither searches nor builds then.
    """

    def __init__(self, clock: Clock, lock: IO[str] | None) -> None:
        super().__init__()
        self._clock = clock
        self._lock = lock
        self._runner = ms.runner.LocalRunner()
        self.seconds: dict[str, float] = {}

    def run(self, runner_inputs: Sequence[ms.runner.RunnerInput]) -> list[ms.runner.RunnerFuture]:
        futures = []
        for one in runner_inputs:
            futures += self._runner.run([one])
            self.seconds[one.artifact_path] = self._clock.at(time.time())
        if self._lock:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            self._clock.wait(self._lock)
        return futures


@derived_object
class Seconds(ms.measure_callback.PyMeasureCallback):
    """Notes of each record when its program was measured; one that did not build counts with the one before it.

    TVM records a round only when its task has its next turn: the next tasks' rounds were run by then.
    """

    def __init__(self, runner: Stamped) -> None:
        super().__init__()
        self._runner = runner
        self.seconds: list[float] = []

    def apply(self, scheduler: Any, task: int, candidates: Any, built: Any, ran: Any) -> None:
        last = self.seconds[-1] if self.seconds else 0.0
        for one in built:
            last = last if one.error_msg is not None else self._runner.seconds.pop(one.artifact_path)
            self.seconds.append(last)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scheduler", choices=SCHEDULERS, default="tvm")
    parser.add_argument("--network", required=True)
    parser.add_argument("--target", default="native")
    parser.add_argument("--layout", choices=LAYOUTS, default="NHWC")
    parser.add_argument("--tasks", type=int, nargs="*", default=[])
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lock", type=Path)
    parser.add_argument("--per-round", type=int, default=64)
    arguments = parser.parse_args()

    target = parse_target(arguments.target)
    task_list = extract(arguments.network, 1, arguments.layout, target, arguments.cache)
    chosen = arguments.tasks or range(len(task_list.tasks))
    random.seed(arguments.seed)
    np.random.seed(arguments.seed)
    clock = Clock()
    lock = arguments.lock.open("w") if arguments.lock else None
    if lock:
        clock.wait(lock)
    mended = arguments.scheduler != "tvm"
    if mended:
        intrinsics.load(target.tvm)
    names = [task_list.tasks[index].name for index in chosen]
    contexts = [
        ms.TuneContext(
            task_list.tasks[index].module,
            target=target.tvm,
            space_generator="post-order-apply",
            search_strategy="evolutionary",
            task_name=name,
            logger=logger,
            rand_state=seed,
        ).clone()
        for index, name, logger, seed in zip(
            chosen,
            names,
            ms.logging.get_loggers_from_work_dir(str(arguments.out), names),
            fork_seed(arguments.seed, len(names)),
        )
    ]
    runner = Stamped(clock, lock)
    seconds = Seconds(runner)
    ms.tune_tasks(
        tasks=contexts,
        task_weights=[float(task_list.weights[index]) for index in chosen],
        work_dir=str(arguments.out),
        max_trials_global=arguments.trials,
        num_trials_per_iter=arguments.per_round,
        builder=ms.builder.LocalBuilder(
            max_workers=contexts[0].num_threads, initializer=intrinsics.stand_in if mended else None
        ),
        runner=runner,
        measure_callbacks=[*ms.MeasureCallback.create("default"), seconds],
        task_scheduler=TaskScheduler() if arguments.scheduler == "familyseer" else "gradient",
    )
    end = clock.at(time.time())
    # Whole or not at all: that it is there says that the run is finished.
    whole = arguments.out / "seconds.json.part"
    whole.write_text(json.dumps({"seconds": seconds.seconds, "end": end}))
    whole.replace(arguments.out / "seconds.json")


if __name__ == "__main__":
    main()
