"""TVM's TaskScheduler and ours on the same small job, alternated: the order of the tasks, and what ours costs.

The overhead is what `tune` spends outside TVM's own search rounds and the making of its policies.
"""

from __future__ import annotations

import random
import statistics
import time
from typing import Any
from unittest import mock

import numpy as np
from familyseer.drop_in.task_scheduler import TVM_TASK_SCHEDULER, TaskScheduler
from tvm import auto_scheduler
from tvm.auto_scheduler import task_scheduler as tvm_task_scheduler
from tvm.testing.auto_scheduler import matmul_auto_scheduler_test

REPEATS = 3
# Far apart, so that noise does not decide which is tuned next.
SIZES = (8, 64, 256)
SEARCH = {"evolutionary_search_population": 64, "evolutionary_search_num_iters": 1}


def tune(scheduler_class: type) -> tuple[list[int], float, float]:
    """The tasks in the order they were tuned, the seconds `tune` took, and those of them in TVM's own work."""
    random.seed(0)
    np.random.seed(0)
    tasks = [
        auto_scheduler.SearchTask(func=matmul_auto_scheduler_test, args=(size, size, size), target="llvm")
        for size in SIZES
    ]
    order: list[int] = []
    inside = 0.0

    class Order(tvm_task_scheduler.TaskSchedulerCallback):
        def pre_tune(self, task_scheduler: object, task_id: int) -> None:
            order.append(int(task_id))

    def timed(method: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal inside
            begun = time.monotonic()
            try:
                return method(*args, **kwargs)
            finally:
                inside += time.monotonic() - begun

        return call

    option = auto_scheduler.TuningOptions(num_measure_trials=24, num_measures_per_round=4, verbose=0)
    scheduler = scheduler_class(tasks, callbacks=[Order()])
    policy = auto_scheduler.SketchPolicy
    round_of, make = policy.continue_search_one_round, tvm_task_scheduler.make_search_policies
    with (
        mock.patch.object(policy, "continue_search_one_round", timed(round_of)),
        mock.patch.object(tvm_task_scheduler, "make_search_policies", timed(make)),
    ):
        begun = time.monotonic()
        scheduler.tune(option, search_policy="sketch.xgb", search_policy_params=SEARCH)
        return order, time.monotonic() - begun, inside


def main() -> None:
    overheads, ratios, same = [], [], 0
    for _ in range(REPEATS):
        theirs, their_seconds, _inside = tune(TVM_TASK_SCHEDULER)
        ours, our_seconds, inside = tune(TaskScheduler)
        same += theirs == ours
        ratios.append(our_seconds / their_seconds)
        overheads.append(100 * (our_seconds - inside) / our_seconds)
        print(
            f"TVM {their_seconds:.1f} s, ours {our_seconds:.1f} s; tasks in order: TVM {theirs}, ours {ours}",
            flush=True,
        )
    print(f"the same tasks in the same order: {same} of {REPEATS}")
    show("ratio of wall-clock time, ours to TVM's", ratios)
    show("overhead (% of wall-clock time)", overheads)


def show(figure: str, values: list[float]) -> None:
    print(f"{figure}: {statistics.median(values):.3f} (min {min(values):.3f}, max {max(values):.3f})")


if __name__ == "__main__":
    main()
