"""What users of TVM's TaskScheduler rely on beside its decisions: callbacks, errors, threads, installing."""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import familyseer
import psutil
import pytest
from familyseer.drop_in.orchestrator import find_node_package
from familyseer.drop_in.task_scheduler import TVM_TASK_SCHEDULER, TaskScheduler
from familyseer.errors import InstallationError
from familyseer.measuring.cpus import real_cores, tvm_threads
from scripted import ScriptedPolicy, run, scripted_search, scripted_task
from tvm import auto_scheduler
from tvm.auto_scheduler import task_scheduler as tvm_task_scheduler
from tvm.auto_scheduler.task_scheduler import LogEstimatedLatency, TaskSchedulerCallback
from tvm.testing.auto_scheduler import matmul_auto_scheduler_test

dense = importlib.import_module("tvm.topi.nn.dense")
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
    assert psutil.Process().children(recursive=True) == []


def test_an_exception_in_the_objective_comes_up() -> None:
    def objective(costs: Any) -> float:
        raise ArithmeticError("mine")

    with pytest.raises(ArithmeticError, match="mine"):
        TaskScheduler(tasks(), objective_func=objective, callbacks=[]).tune(OPTION, search_policy=policies())


def test_callbacks_of_tvm_and_the_table_with_total_latency(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = []
    for scheduler_class in (TVM_TASK_SCHEDULER, TaskScheduler):
        path = tmp_path / scheduler_class.__module__
        callbacks = [familyseer.PrintTableInfo(), LogEstimatedLatency(str(path))]
        option = auto_scheduler.TuningOptions(num_measure_trials=64, num_measures_per_round=4, verbose=1)
        scheduler_class(tasks(), callbacks=callbacks).tune(option, search_policy=policies())
        # But for the seconds that passed.
        logs.append([line.split("\t")[2:] for line in path.read_text().splitlines()])
    assert len(logs[0]) > 5
    assert logs[1] == logs[0]
    assert "Total Latency (ms)" in capsys.readouterr().out


@pytest.mark.skipif(tvm_threads() >= real_cores(), reason="TVM uses every core of this machine")
def test_half_of_the_machine_is_told_in_one_line_unless_the_user_chose_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cpu = auto_scheduler.SearchTask(func=matmul_auto_scheduler_test, args=(16, 16, 16), target="llvm")
    for told, lines in ((None, 1), ("1", 0)):
        monkeypatch.setenv("TVM_NUM_THREADS", told) if told else monkeypatch.delenv("TVM_NUM_THREADS", raising=False)
        policy = ScriptedPolicy(SimpleNamespace(index=0), [[1e-3] * 4] * 16, [])
        TaskScheduler([cpu], callbacks=[]).tune(OPTION, search_policy=[policy])
        said = [line for line in capsys.readouterr().out.splitlines() if "TVM_NUM_THREADS" in line]
        assert len(said) == lines
        assert all(f"TVM_NUM_THREADS={real_cores()}" in line for line in said)


@pytest.mark.parametrize("spelling", ["adaptive_training", "adapative_training"])
def test_adaptive_training_reaches_the_cost_models_in_both_spellings(spelling: str) -> None:
    with scripted_search(SCENARIO, []):
        TaskScheduler(tasks(), callbacks=[]).tune(OPTION, "sketch.xgb.family_op", **{spelling: True})
        made = tvm_task_scheduler.XGBModel.call_args_list
    assert made
    assert all([value for name, value in call.kwargs.items() if "training" in name] == [True] for call in made)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A real task, and a log of its programs that were really measured."""
    log = tmp_path_factory.mktemp("measured") / "tuned.log"
    task = auto_scheduler.SearchTask(func=matmul_auto_scheduler_test, args=(16, 16, 16), target="llvm")
    option = auto_scheduler.TuningOptions(
        num_measure_trials=4,
        num_measures_per_round=4,
        verbose=0,
        measure_callbacks=[auto_scheduler.RecordToFile(str(log))],
    )
    search = {"evolutionary_search_population": 16, "evolutionary_search_num_iters": 1}
    TaskScheduler([task], callbacks=[]).tune(option, "sketch.xgb", search_policy_params=search)
    assert len(log.read_text().splitlines()) == 4
    return task, log


def test_goes_on_from_a_log_as_tvms_own(measured: tuple[Any, Path]) -> None:
    task, log = measured
    seen = []
    for scheduler_class in (TVM_TASK_SCHEDULER, TaskScheduler):
        watcher = Watcher()
        option = auto_scheduler.TuningOptions(num_measure_trials=8, num_measures_per_round=4, verbose=0)
        rounds = [[1e-3] * 4, [1e-9] * 4]
        policy = ScriptedPolicy(SimpleNamespace(index=0), rounds, [])
        scheduler = scheduler_class([task], load_log_file=str(log), callbacks=[watcher])
        scheduler.tune(option, search_policy=[policy])
        seen.append(watcher.seen)
    assert len(seen[0]) > 1
    assert seen[1] == seen[0]


def test_goes_on_from_a_log_with_lines_that_tvm_cannot_read(
    measured: tuple[Any, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    task, log = measured
    lines = log.read_text().splitlines()
    broken = tmp_path / "broken.log"
    broken.write_text("\n".join([lines[0], "rubbish", *lines[1:], lines[0][:50]]))
    before = broken.read_bytes()
    scheduler = TaskScheduler([task], load_log_file=str(broken), callbacks=[])
    option = auto_scheduler.TuningOptions(num_measure_trials=2, num_measures_per_round=2, verbose=0)
    scheduler.tune(option, "sketch.xgb")
    assert f"2 lines of {broken} skipped: 2 that are no records (line 2, {len(lines) + 2})" in capfd.readouterr().out
    assert scheduler.task_cts[0] > 1
    assert broken.read_bytes() == before


def test_refuses_a_log_of_another_network(measured: tuple[Any, Path]) -> None:
    _task, log = measured
    scheduler = TaskScheduler(tasks(), load_log_file=str(log), callbacks=[])
    with pytest.raises(ValueError, match=r"None of the 4 records of .* is of these"):
        scheduler.tune(OPTION, search_policy=policies())


def test_an_exception_in_a_measure_callback_comes_up(measured: tuple[Any, Path]) -> None:
    task, _log = measured

    class Broken(auto_scheduler.measure.PythonBasedMeasureCallback):
        def callback(self, policy: object, inputs: object, results: object) -> None:
            raise RuntimeError("mine")

    option = auto_scheduler.TuningOptions(
        num_measure_trials=2, num_measures_per_round=2, verbose=0, measure_callbacks=[Broken()]
    )
    with pytest.raises(Exception, match="mine"):
        TaskScheduler([task], callbacks=[]).tune(option, "sketch.random")


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


def test_a_variable_that_names_no_built_package_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FAMILYSEER_PACKAGE", str(tmp_path))
    with pytest.raises(InstallationError, match=r"FAMILYSEER_PACKAGE names .*, where there is no"):
        find_node_package()
    built = tmp_path / "dist" / "src" / "drop-in" / "main.js"
    built.parent.mkdir(parents=True)
    built.touch()
    assert find_node_package() == tmp_path


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


def test_prints_the_first_error_once_if_no_program_of_the_first_round_ran(capsys: pytest.CaptureFixture[str]) -> None:
    class Failing(ScriptedPolicy):
        def continue_search_one_round(self, programs: int, measurer: object) -> tuple[list[Any], list[Any]]:
            return [None] * programs, [SimpleNamespace(costs=[], error_no=4, error_msg="no such linker")] * programs

    policies = [Failing(task, [], []) for task in tasks()]
    TaskScheduler(tasks(), callbacks=[]).tune(OPTION, search_policy=policies, give_up_unmeasured=False)
    assert capsys.readouterr().out.count("programs ran. The first error:\nno such linker") == 1


UNMENDED = """
import numpy, tvm
from familyseer import TaskScheduler
from familyseer.measuring import Streaming
from tvm import auto_scheduler, relay

data, weight = relay.var("data", shape=(4, 24)), relay.var("weight", shape=(20, 24))
module = tvm.IRModule.from_expr(relay.nn.dense(data, weight))
weights = {"weight": tvm.nd.array(numpy.ones((20, 24), "float32"))}
tasks, task_weights = auto_scheduler.extract_tasks(module["main"], weights, tvm.target.Target("llvm"))
streaming = Streaming()
option = auto_scheduler.TuningOptions(4, builder=streaming.builder, runner=streaming.runner, verbose=0)
TaskScheduler(tasks, task_weights, callbacks=[]).tune(option, "sketch.random", {"evolutionary_search_population": 16})
"""


@pytest.mark.skipif("*indices" not in inspect.getsource(dense.matmul), reason="this TVM's dense layers are well")
def test_says_how_to_mend_dense_layers_where_no_program_of_one_can_be_lowered() -> None:
    # In a process of its own: others of this one may have mended TVM.
    ended = subprocess.run([sys.executable, "-c", UNMENDED], capture_output=True, text=True, check=True)
    (line,) = [line for line in ended.stderr.splitlines() if "mend_dense" in line]
    assert "no program of task 0" in line
    assert "familyseer.mend_dense() before extract_tasks" in line
