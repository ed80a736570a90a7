"""Timings that other work disturbed: they are noticed, the programs that may be the best are timed again, and what is
left of them trains no model."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from familyseer.ansor.programs import PRELOAD, AnsorProgram
from familyseer.backend import ModelPlan
from familyseer.learning.cost_model import TrainingSettings
from familyseer.measuring.cpu_waits import waited_seconds
from familyseer.measuring.cpus import allowed_cpus
from familyseer.measuring.disturbance import Retiming, is_disturbed, kept, undisturbed_cost
from familyseer.measuring.engine import Engine, EngineSettings
from familyseer.measuring.program import Measured
from familyseer.measuring.run import Ran, Timing
from familyseer.search.search import Search
from familyseer.search.task_search import SearchSettings
from scripted_backend import Network, Program, Scripted, ScriptedEngine
from tvm import auto_scheduler
from tvm.testing.auto_scheduler import matmul_auto_scheduler_test

SPIN = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nprint(flush=True)\nwhile True: pass"


def timed(cost: float, waited: float | None, seconds: float = 0.1) -> Ran:
    return Ran((cost,), None, seconds, seconds, waited)


def test_what_threads_waited_is_read_from_the_kernel(tmp_path: Path) -> None:
    assert waited_seconds({0}, tmp_path) is None
    for thread, waited in (("7", 250_000_000), ("8", 500_000_000)):
        (tmp_path / "proc/self/task" / thread).mkdir(parents=True)
        (tmp_path / "proc/self/task" / thread / "schedstat").write_text(f"1000 {waited} 3\n")
    stolen = "cpu  9 9 9 9 9 9 9 900 0 0\ncpu0 1 1 1 1 1 1 1 100 0 0\ncpu1 1 1 1 1 1 1 1 800 0 0\nintr 1\n"
    (tmp_path / "proc/stat").write_text(stolen)
    assert waited_seconds(set(), tmp_path) == pytest.approx(0.75)
    assert waited_seconds({0}, tmp_path) == pytest.approx(1.75)


def test_a_kernel_that_does_not_count_disturbs_nothing(tmp_path: Path) -> None:
    (tmp_path / "proc/self/task/7").mkdir(parents=True)
    (tmp_path / "proc/stat").write_text("cpu0 1 1 1 1 1 1 1 100 0 0\n")
    assert waited_seconds({0}, tmp_path) is None
    (tmp_path / "proc/self/task/7/schedstat").write_text("0 0 0\n")
    assert waited_seconds({0}, tmp_path) is None
    assert not is_disturbed(None)
    assert undisturbed_cost(2.0, None) == 2.0


def test_a_program_is_timed_again_where_it_was_disturbed_and_may_be_the_best() -> None:
    retiming = Retiming(True)
    assert not retiming.again([timed(1.0, 0.01)], best=1.0)
    assert not retiming.again([timed(3.0, 0.5)], best=1.0)
    assert retiming.again([timed(1.4, 0.5)], best=1.0)
    assert not retiming.again([timed(1.4, 0.5), timed(1.1, 0.0)], best=1.0)
    assert not Retiming(False).again([timed(1.4, 0.5)], best=1.0)


def test_a_program_is_timed_three_times_at_most() -> None:
    retiming, disturbed = Retiming(True), timed(1.4, 0.5, seconds=0.01)
    assert [retiming.again([disturbed] * count, best=1.0) for count in (1, 2, 3)] == [True, True, False]


def test_timing_again_takes_a_quarter_of_all_timing_at_most() -> None:
    retiming, again = Retiming(True), 0
    for _ in range(400):
        disturbed = [timed(1.4, 0.5)]
        while retiming.again(disturbed, best=1.0):
            disturbed.append(timed(1.4, 0.5))
            again += 1
    assert 0.2 < again / (400 + again) < 0.26


def test_the_timing_that_nothing_disturbed_counts_or_else_the_least() -> None:
    quiet, slow, slower = timed(1.1, 0.0), timed(1.0, 0.3), timed(3.0, 0.9)
    assert kept([slow, quiet]) is quiet
    assert kept([slower, slow, slower]) is slow


@pytest.fixture
def busy() -> Iterator[Any]:
    """Two busy processes on each CPU, until the test ends."""
    spinning: list[subprocess.Popen[str]] = []

    def begin() -> None:
        for cpu in [*allowed_cpus()] * 2:
            command = [sys.executable, "-c", SPIN, str(cpu)]
            spinning.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        for process in spinning:
            assert process.stdout is not None
            process.stdout.readline()

    yield begin
    for process in spinning:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("retime", "timings"), [(True, 3), (False, 1)])
def test_a_program_beside_busy_processes_is_disturbed(busy: Any, retime: bool, timings: int) -> None:
    task = auto_scheduler.SearchTask(func=matmul_auto_scheduler_test, args=(64, 64, 64), target="llvm")
    program = AnsorProgram(auto_scheduler.MeasureInput(task, task.compute_dag.get_init_state()))
    engine = Engine(EngineSettings(threads=1, retime=retime, build_timeout=60), preload=PRELOAD)
    timing = Timing(number=1, repeat=1, min_repeat_ms=50)
    try:
        built = engine.build(program).result(timeout=60)
        busy()
        measured = engine.submit(program, timing, built).result(timeout=60)
    finally:
        engine.close()
    assert measured.failure is None
    assert measured.waited is not None and measured.waited > 0.2
    assert (measured.disturbed, measured.timings) == (True, timings)


class DisturbedEngine(ScriptedEngine):
    """Measures by the formula, but what `waits` has of the programs that come seems so many times slower."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def submit(self, program: Any, timing: object, built: None = None, hold: bool = False) -> Future[Measured]:
        waited = self.waits.pop(0) if self.waits else 0.0
        quiet = super().submit(program, timing).result()
        future: Future[Measured] = Future()
        costs = tuple(cost * (1 + waited) for cost in quiet.costs)
        future.set_result(replace(quiet, costs=costs, waited=waited if costs else None))
        return future


class Job:
    """A search on one task with programs that a test chooses."""

    def __init__(self, retime: bool = True) -> None:
        self.engine = DisturbedEngine()
        model = Scripted().cost_model(ModelPlan("loop", "xgb", [0], 2), 0, TrainingSettings())
        settings = SearchSettings(population=16, generations=1)
        engine: Any = self.engine
        self._search = Search(Network().tasks, [model], settings, engine, Timing(), retime=retime)
        self.of_task = self._search.searches[0]

    def measure(self, program: Program, waited: float = 0.0) -> dict[str, Any]:
        """Has a program measured, one after another; the event."""
        number = 1000 + len(self.of_task.seen)
        (self.of_task.candidates[number],) = self.of_task.take([program], 1, "random")
        self.engine.waits = [waited]
        return self._measure([number])[0]

    def search(self, measured: bool = True) -> list[Program]:
        """Two programs that the search proposes, measured or not; those that it would have measured again."""
        numbers, _ = self._search.propose(0, 2)
        candidates = [self.of_task.candidates[number] for number in numbers]
        assert len(candidates) == 2
        self._measure(numbers if measured else [])
        return [candidate.program for candidate in candidates if candidate.again]

    def take_over(self, records: list[Any]) -> None:
        self._search.take_over(records)

    def learn(self) -> int:
        self._search.review(0, "round")
        return self._search.learn(0)

    def _measure(self, numbers: list[int]) -> list[Any]:
        events: list[Any] = []
        self._search.measure(0, numbers, events.append, lambda: False)
        return events


def test_a_program_that_may_be_the_best_is_measured_again_once_it_is_quiet() -> None:
    job = Job()
    job.measure((4, 16))
    assert [job.measure(program, waited=0.8)["disturbed"] for program in ((8, 16), (32, 16))] == [True, True]
    assert job.of_task.best(1) == [(4, 16)]
    assert job.search(measured=False) == [], "the last was disturbed, so the machine may not be quiet"
    assert not job.measure((2, 16))["disturbed"]
    # (32, 16) takes more than the best, for all that it waited.
    assert job.search() == [(8, 16)]
    assert job.of_task.best(1) == [(8, 16)]
    assert [program for _, program in job.of_task.measured].count((8, 16)) == 1
    assert job.search() == []


def test_without_retime_nothing_is_measured_again_and_all_is_learnt() -> None:
    job = Job(retime=False)
    for program, waited in (((4, 16), 0.0), ((8, 16), 0.8), ((16, 16), 0.0)):
        job.measure(program, waited)
    assert job.search() == []
    assert job.learn() == 5


def test_what_was_disturbed_is_not_learnt_unless_most_was() -> None:
    job = Job()
    for program, waited in (((4, 16), 0.0), ((8, 16), 0.8), ((16, 16), 0.0)):
        job.measure(program, waited)
    assert job.learn() == 2
    for program, waited in (((2, 16), 0.8), ((1, 16), 0.8), ((64, 16), 0.0)):
        job.measure(program, waited)
    assert job.learn() == 3


def test_a_program_that_was_measured_twice_is_taken_over_once_at_its_least() -> None:
    job = Job()
    task = job.of_task.task
    records = [task.record((8, 16), Measured((cost,), None, 1.0, 0.0, None, 0.0, 0.0)) for cost in (3.0, 1.0)]
    job.take_over(records)
    assert job.of_task.measured == [(1.0, (8, 16))]
