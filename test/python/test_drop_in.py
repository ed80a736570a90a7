"""What users of TVM's TaskScheduler rely on beside its decisions: callbacks, errors, threads, installing."""

from __future__ import annotations

import json
import threading
import traceback
from pathlib import Path
from typing import Any

import familyseer
import pytest
from familyseer.errors import InstallationError
from familyseer.task_scheduler import TVM_TASK_SCHEDULER, TaskScheduler
from scripted import ScriptedPolicy, run, scripted_task
from tvm import auto_scheduler
from tvm.auto_scheduler.task_scheduler import TaskSchedulerCallback

SCENARIO: dict[str, Any] = json.loads((Path(__file__).parents[1] / "conformance" / "001.json").read_text())["scenario"]
OPTION = auto_scheduler.TuningOptions(num_measure_trials=64, num_measures_per_round=4, verbose=0)


def tasks() -> list[Any]:
    return [scripted_task(task, index) for index, task in enumerate(SCENARIO["tasks"])]


def policies() -> list[ScriptedPolicy]:
    return [ScriptedPolicy(task, SCENARIO["rounds"][task.index], []) for task in tasks()]


class Watcher(TaskSchedulerCallback):
    """What the attributes say at each callback."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def pre_tune(self, scheduler: Any, task_id: int) -> None:
        self._note("pre", scheduler, task_id)

    def post_tune(self, scheduler: Any, task_id: int) -> None:
        self._note("post", scheduler, task_id)

    def _note(self, when: str, of: Any, task_id: int) -> None:
        numbers = [of.ct, of.best_ct, of.best_score, of.cur_score, of.num_measures_per_round]
        lists = [of.task_cts, of.task_best_cts, of.best_costs, sorted(of.dead_tasks), of.flop_cts, of.task_tags]
        histories = [list(history) for history in of.task_costs_history]
        self.seen.append((when, int(task_id), numbers, [list(each) for each in lists], histories))


def test_attributes_are_what_tvms_own_are_at_every_callback() -> None:
    watchers = []
    for scheduler_class in (TVM_TASK_SCHEDULER, TaskScheduler):
        watcher = Watcher()
        scheduler_class(tasks(), callbacks=[watcher]).tune(OPTION, search_policy=policies())
        watchers.append(watcher.seen)
    assert len(watchers[0]) > 10
    assert watchers[1] == watchers[0]


def test_an_exception_in_a_callback_comes_up_with_its_own_traceback() -> None:
    class Broken(TaskSchedulerCallback):
        def post_tune(self, scheduler: Any, task_id: int) -> None:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as raised:
        TaskScheduler(tasks(), callbacks=[Broken()]).tune(OPTION, search_policy=policies())
    assert "post_tune" in "".join(traceback.format_tb(raised.value.__traceback__))


def test_what_cannot_be_tuned_is_refused() -> None:
    with pytest.raises(AssertionError, match="No tasks"):
        TaskScheduler([])
    with pytest.raises(ValueError, match="task_weights"):
        TaskScheduler(tasks(), task_weights=[1])
    scheduler = TaskScheduler(tasks(), callbacks=[])
    with pytest.raises(ValueError, match="search policies for"):
        scheduler.tune(OPTION, search_policy=policies()[1:])
    with pytest.raises(ValueError, match=r"^Invalid search policy: sketch\.xgb\.op"):
        scheduler.tune(OPTION, search_policy="sketch.xgb.op")
    few = auto_scheduler.TuningOptions(num_measure_trials=1, verbose=0)
    with pytest.raises(ValueError, match="num_measure_trials is too small"):
        scheduler.tune(few, search_policy=policies())


def test_says_how_to_get_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAMILYSEER_NODE", "no-such-node")
    with pytest.raises(InstallationError, match="Install Node 20"):
        TaskScheduler(tasks(), callbacks=[]).tune(OPTION, search_policy=policies())


def test_two_threads_tune_at_once() -> None:
    alone = run(TaskScheduler, SCENARIO, "sketch.xgb", ready=True)
    counts: list[int] = []

    def tune() -> None:
        scheduler = TaskScheduler(tasks(), callbacks=[])
        scheduler.tune(OPTION, search_policy=policies())
        counts.append(scheduler.ct)

    threads = [threading.Thread(target=tune) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(counts) == 2 and counts[0] == counts[1] > 0
    assert alone["error"] is None


def test_install_takes_tvms_place_and_gives_it_back() -> None:
    familyseer.install()
    assert auto_scheduler.TaskScheduler is TaskScheduler
    familyseer.uninstall()
    assert auto_scheduler.TaskScheduler is TVM_TASK_SCHEDULER
