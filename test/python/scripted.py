"""Task schedulers on scripted jobs: search policies that measure nothing, and give the costs a scenario says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
from tvm import auto_scheduler
from tvm.auto_scheduler import task_scheduler as tvm_task_scheduler

TAG_ATTRIBUTE = "auto_scheduler_task_scheduler_tag"


def scripted_task(task: dict[str, Any], index: int) -> SimpleNamespace:
    operations = [SimpleNamespace(attrs={TAG_ATTRIBUTE: tag}) for tag in task["tags"]]
    dag = SimpleNamespace(flop_ct=task["flop_ct"], ops=operations)
    return SimpleNamespace(
        index=index, desc=task["desc"], workload_key=task["workload_key"], target="llvm", compute_dag=dag
    )


class ScriptedPolicy(auto_scheduler.search_policy.SearchPolicy):
    """The k-th round on a task gives the first costs of the scenario's k-th round on it."""

    def __init__(self, task: SimpleNamespace, rounds: list[list[float]], calls: list[list[int]]) -> None:
        self.index = task.index
        self.rounds = iter(rounds)
        self.calls = calls

    def continue_search_one_round(self, programs: int, measurer: object) -> tuple[list[Any], list[Any]]:
        costs = next(self.rounds, [])[:programs]
        self.calls.append([self.index, programs, len(costs)])
        results = [SimpleNamespace(costs=[SimpleNamespace(value=cost)], error_no=0) for cost in costs]
        return list(costs), results

    # TVM's objects ask C++ for what Python does not have.
    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


@contextlib.contextmanager
def scripted_search(scenario: dict[str, Any], calls: list[list[int]]) -> Iterator[mock.Mock]:
    """Named search policies are scripted ones, cost models nothing, and draws take the first; yields the draws."""

    def policy(task: SimpleNamespace, *_: object, **__: object) -> ScriptedPolicy:
        return ScriptedPolicy(task, scenario["rounds"][task.index], calls)

    draw = mock.Mock(return_value=0)
    with contextlib.ExitStack() as stack:
        for name, replacement in (("SketchPolicy", policy), ("XGBModel", mock.Mock()), ("RandomModel", mock.Mock())):
            stack.enter_context(mock.patch.object(tvm_task_scheduler, name, replacement))
        stack.enter_context(mock.patch.object(np.random, "choice", draw))
        yield draw


def run(scheduler_class: type, scenario: dict[str, Any], search_policy: str, ready: bool = False) -> dict[str, Any]:
    """What a scheduler decides on a scenario; with `ready`, the policies are handed to it as a list."""
    calls: list[list[int]] = []
    tasks = [scripted_task(task, index) for index, task in enumerate(scenario["tasks"])]
    option = auto_scheduler.TuningOptions(
        num_measure_trials=scenario["num_measure_trials"],
        num_measures_per_round=scenario["num_measures_per_round"],
        early_stopping=-1 if scenario["early_stopping"] is None else scenario["early_stopping"],
        verbose=0,
    )
    scheduler = scheduler_class(
        tasks,
        task_weights=[task["weight"] for task in scenario["tasks"]],
        strategy=scenario["strategy"],
        callbacks=[],
    )
    policies = [ScriptedPolicy(task, scenario["rounds"][task.index], calls) for task in tasks] if ready else None
    try:
        with scripted_search(scenario, calls) as draw:
            scheduler.tune(
                option,
                search_policy=policies or search_policy,
                per_task_early_stopping=scenario["per_task_early_stopping"],
            )
    except ValueError as error:
        return {"error": str(error)}
    return {
        "error": None,
        "calls": calls,
        "ties": draw.call_count,
        "trials": scheduler.ct,
        "task_cts": list(scheduler.task_cts),
        "task_best_cts": list(scheduler.task_best_cts),
        "dead_tasks": sorted(scheduler.dead_tasks),
        "best_costs": [float(cost) for cost in scheduler.best_costs],
        "score": float(scheduler.cur_score),
        "history": [[float(cost) for cost in history] for history in scheduler.task_costs_history],
        "tags": list(scheduler.task_tags),
        "best": (scheduler.best_ct, scheduler.best_score),
    }
