"""One tuning by TVM's own TaskScheduler, with its defaults unless told otherwise, in a process of its own; or by the
drop-in with the original FamilySeer's decisions, and all else TVM's.

On the simulated GPU (docs/simulated-gpu.md) its programs are neither built nor run, but simulated.

Writes TVM's records to `records.json` and, in the same order, the seconds from the beginning of the tuning to
`seconds.json`. Its clock stands still while it waits for `--lock`, which it holds during each round: other work can be
done between rounds without disturbing it.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import random
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tvm import auto_scheduler
from tvm.auto_scheduler.measure import PythonBasedMeasureCallback
from tvm.auto_scheduler.task_scheduler import PrintTableInfo, TaskSchedulerCallback

from .. import cuda
from ..ansor.programs import AnsorProgram
from ..ansor.results import failure_of
from ..ansor.streaming import Streaming
from ..ansor.target import parse_target
from ..ansor.tasks import extract
from ..drop_in.task_scheduler import TVM_TASK_SCHEDULER, TaskScheduler
from ..measuring.failures import Failure
from ..networks import LAYOUTS
from ..simulated.engine import SimulatedEngine
from ..targets import is_simulated
from .clock import Clock

SCHEDULERS = {"tvm": (TVM_TASK_SCHEDULER, "default"), "familyseer": (TaskScheduler, "sketch.xgb.family_op")}


class Undisturbed(TaskSchedulerCallback):
    """Holds the lock during each round."""

    def __init__(self, clock: Clock, lock: Path) -> None:
        self._clock = clock
        self._file = lock.open("w")

    def pre_tune(self, task_scheduler: object, task_id: int) -> None:
        self._clock.wait(self._file)

    def post_tune(self, task_scheduler: object, task_id: int) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)


class Deadline(TaskSchedulerCallback):
    """Lets no round begin after so many seconds: every task is dead then."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds

    def post_tune(self, task_scheduler: Any, task_id: int) -> None:
        if self._clock.at(time.time()) >= self._seconds:
            task_scheduler.dead_tasks.update(range(len(task_scheduler.tasks)))


class Seconds(PythonBasedMeasureCallback):
    """Notes when each program was measured."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.seconds: list[float] = []

    def callback(self, policy: Any, inputs: Any, results: Any) -> None:
        self.seconds += [self._clock.at(float(result.timestamp)) for result in results]


def builder_for(target: Any) -> Any:
    """TVM's default, in processes that compile by NVRTC where there is no nvcc."""
    return auto_scheduler.LocalBuilder(build_func=cuda.export if target.kind.name == "cuda" else "default")


def try_builds(task: auto_scheduler.SearchTask) -> list[Failure | None]:
    """Has TVM build a few random programs of a task that it takes for valid: what went wrong with each."""
    # On a GPU few of a hundred are valid.
    few = {"sample_init_min_population": 128, "evolutionary_search_population": 512}
    policy = auto_scheduler.SketchPolicy(task, auto_scheduler.RandomModel(), params=few, seed=0, verbose=0)
    states = (task.compute_dag.infer_bound_from_state(state) for state in policy.sample_initial_population())
    inputs = (auto_scheduler.MeasureInput(task, state) for state in states)
    valid = (one for one in inputs if AnsorProgram(one).refusal() is None)
    return [failure_of(built) for built in builder_for(task.target).build([*islice(valid, 2)], verbose=0)]


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
    parser.add_argument("--most-seconds", type=float)
    parser.add_argument("--per-round", type=int, default=64)
    parser.add_argument("--population", type=int, default=2048)
    parser.add_argument("--generations", type=int, default=4)
    parser.add_argument("--number", type=int, default=3)
    parser.add_argument("--min-repeat-ms", type=int, default=100)
    arguments = parser.parse_args()

    target = parse_target(arguments.target)
    task_list = extract(arguments.network, 1, arguments.layout, target, arguments.cache)
    chosen = arguments.tasks or range(len(task_list.tasks))
    random.seed(arguments.seed)
    np.random.seed(arguments.seed)
    clock = Clock()
    seconds = Seconds(clock)
    simulation = Streaming(SimulatedEngine()) if is_simulated(str(target)) else None
    option = auto_scheduler.TuningOptions(
        num_measure_trials=arguments.trials,
        num_measures_per_round=arguments.per_round,
        builder=simulation.builder if simulation else builder_for(target),
        runner=simulation.runner
        if simulation
        else auto_scheduler.LocalRunner(number=arguments.number, min_repeat_ms=arguments.min_repeat_ms),
        measure_callbacks=[auto_scheduler.RecordToFile(str(arguments.out / "records.json")), seconds],
    )
    scheduler_class, search_policy = SCHEDULERS[arguments.scheduler]
    scheduler = scheduler_class(
        [task_list.tasks[index] for index in chosen],
        [task_list.weights[index] for index in chosen],
        callbacks=[
            PrintTableInfo(),
            *([Undisturbed(clock, arguments.lock)] if arguments.lock else []),
            *([Deadline(clock, arguments.most_seconds)] if arguments.most_seconds else []),
        ],
    )
    search = {
        "evolutionary_search_population": arguments.population,
        "evolutionary_search_num_iters": arguments.generations,
    }
    scheduler.tune(option, search_policy=search_policy, search_policy_params=search)
    end = clock.at(time.time())
    # Whole or not at all: that it is there says that the run is finished.
    whole = arguments.out / "seconds.json.part"
    weights = {task_list.tasks[index].workload_key: float(task_list.weights[index]) for index in chosen}
    whole.write_text(json.dumps({"seconds": seconds.seconds, "end": end, "weights": weights}))
    whole.replace(arguments.out / "seconds.json")


if __name__ == "__main__":
    main()
