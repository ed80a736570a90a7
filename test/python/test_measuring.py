"""The streaming engine with real builders and runners: times, errors, crashes, hangs."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import numpy as np
import psutil
import pytest
import tvm
from familyseer.ansor.programs import PRELOAD, AnsorProgram
from familyseer.experiments.programs_in_c import linked_from_c
from familyseer.measuring import Streaming, fork_server
from familyseer.measuring import engine as engine_module
from familyseer.measuring.build import Argument, BuildRequest, Compiled, link_here
from familyseer.measuring.device import LocalDevice, LocalDevices
from familyseer.measuring.engine import Engine, EngineSettings
from familyseer.measuring.program import Measured
from familyseer.measuring.run import Timing
from tvm import auto_scheduler, te
from tvm.testing.auto_scheduler import matmul_auto_scheduler_test

pytestmark = pytest.mark.timed

TIMING = Timing(timeout=5, number=1, repeat=2, min_repeat_ms=10)
WITHIN_SECONDS = 60


def programs(count: int, size: int = 32) -> list[Any]:
    task = auto_scheduler.SearchTask(func=matmul_auto_scheduler_test, args=(size, size, size), target="llvm")
    policy = auto_scheduler.SketchPolicy(task, verbose=0, params={"evolutionary_search_population": 16}, seed=1)
    states = [state for _ in range(count) for state in policy.sample_initial_population()]
    return [auto_scheduler.MeasureInput(task, state) for state in states[:count]]


def measure(engine: Engine, inputs: list[Any], timing: Timing = TIMING) -> list[Measured]:
    return results([engine.submit(AnsorProgram(one), timing) for one in inputs])


def results(futures: list[Future[Measured]]) -> list[Measured]:
    return [future.result(timeout=WITHIN_SECONDS) for future in futures]


def kinds(measured: list[Measured]) -> list[str | None]:
    """Why each failed; None of one that ran."""
    return [each.failure.kind if each.failure else None for each in measured]


@pytest.fixture
def engine() -> Iterator[Callable[..., Engine]]:
    engines = []

    def make(**settings: Any) -> Engine:
        engines.append(Engine(EngineSettings(**settings), preload=PRELOAD))
        return engines[-1]

    yield make
    for each in engines:
        each.close()
    # TVM 0.8 leaves zombies of its own.
    alive = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    assert not [child for child in alive if "familyseer.measuring" in " ".join(child.cmdline())]


def test_measures_in_order_of_submission_what_tvm_measures(engine: Callable[..., Engine]) -> None:
    inputs = programs(8)
    measured = measure(engine(), inputs)
    assert kinds(measured) == [None] * 8
    assert all(len(each.costs) == 2 and 0 < each.costs[0] < 1 for each in measured)
    assert all(each.device == "local" and each.timing_seconds > 0 and each.build_cpu_seconds > 0 for each in measured)


def test_times_agree_with_tvms_own_runner(engine: Callable[..., Engine]) -> None:
    inputs = programs(6, size=128)
    timing = Timing(number=5, repeat=30, min_repeat_ms=0)
    ours, theirs = [], []
    stream = engine()
    built = auto_scheduler.LocalBuilder().build(inputs, 0)
    runner = auto_scheduler.LocalRunner(number=5, repeat=30, min_repeat_ms=0)
    # What else runs on the machine only lengthens a time: the least of many short ones is nearest to it.
    for _ in range(3):
        ours.append([min(each.costs) for each in measure(stream, inputs, timing)])
        timed = runner.run(inputs, built, 0)
        theirs.append([min(float(cost) for cost in result.costs) for result in timed])
    ratios = [min(a) / min(b) for a, b in zip(zip(*ours), zip(*theirs))]
    assert 0.8 < statistics.median(ratios) < 1.25, ratios


def linked_but_first(first: Callable[[], None], marker: Path) -> Callable[..., None]:
    """Links programs as they are, and does something else at the first of them."""

    def link(output: str, objects: list[str], options: object = None) -> None:
        try:
            marker.touch(exist_ok=False)
        except FileExistsError:
            link_here(output, objects)
        else:
            first()

    link.output_format = "so"
    return link


def test_a_crashing_builder_costs_one_program(engine: Callable[..., Engine], tmp_path: Path) -> None:
    link = linked_but_first(lambda: os.kill(os.getpid(), signal.SIGSEGV), tmp_path / "crashed")
    measured = measure(engine(build_func=link, builders=1), programs(4))
    assert kinds(measured) == ["compile-host", None, None, None]


def test_a_build_that_never_ends_costs_one_program_and_its_time(engine: Callable[..., Engine], tmp_path: Path) -> None:
    link = linked_but_first(lambda: time.sleep(1000), tmp_path / "slept")
    measured = measure(engine(build_func=link, builders=1, build_timeout=6), programs(4))
    assert kinds(measured) == ["build-timeout", None, None, None]


def test_a_build_that_takes_much_longer_than_others_is_given_up(engine: Callable[..., Engine], tmp_path: Path) -> None:
    link = linked_but_first(lambda: time.sleep(1000), tmp_path / "slept")
    begun = time.monotonic()
    adaptive = engine(build_func=link, builders=2, build_timeout=50, adaptive_build_timeout=True)
    measured = measure(adaptive, programs(12))
    assert sorted(map(str, kinds(measured))) == ["None"] * 11 + ["build-timeout"]
    assert time.monotonic() - begun < 50


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("*(volatile int *)0 = 1;", "runtime"),
        ("abort();", "runtime"),
        ("for (;;);", "run-timeout"),
        ("for (;;) { char *p = malloc(1 << 28); memset(p, 1, 1 << 28); }", "runtime"),
    ],
    ids=["segfault", "abort", "endless", "fills memory"],
)
def test_a_program_that_ends_its_runner_costs_itself(engine: Callable[..., Engine], source: str, kind: str) -> None:
    stream, bad = engine(), engine(build_func=linked_from_c(source), memory_limit=1 << 30, build_timeout=50)
    # To build a program, and to fill memory, may take long on a machine that others use.
    timeout = 2 if kind == "run-timeout" else 20
    assert kinds(measure(bad, programs(2), Timing(timeout=timeout))) == [kind] * 2
    assert kinds(measure(stream, programs(2))) == [None, None]


def test_a_killed_builder_or_runner_is_replaced(engine: Callable[..., Engine]) -> None:
    stream = engine()
    futures = [stream.submit(AnsorProgram(one), TIMING) for one in programs(24)]
    futures[2].result(timeout=WITHIN_SECONDS)
    (server,) = psutil.Process().children()
    for child in server.children():
        child.send_signal(signal.SIGKILL)
    failed = [each for each in results(futures) if each.failure]
    assert 1 <= len(failed) <= 3 and all(each.costs == () for each in failed)


def test_a_stopped_runner_is_a_timeout(engine: Callable[..., Engine]) -> None:
    stream = engine()
    measure(stream, programs(1))
    (server,) = psutil.Process().children()
    stopped = server.children()
    for child in stopped:
        child.send_signal(signal.SIGSTOP)
    failures = kinds(measure(stream, programs(3), Timing(timeout=2, min_repeat_ms=10)))
    timeouts = {"build-timeout", "run-timeout"}
    # Who was stopped takes a program at most before another is there in its place.
    assert 1 <= len([kind for kind in failures if kind in timeouts]) <= len(stopped), failures
    assert {*failures} <= {None, *timeouts}


class DevicesThatComeOnceAllIsBuilt(LocalDevices):
    """This machine; a program begins to run on it when all builders have answered."""

    engine: Engine | None = None

    def now(self, waiting: int) -> Sequence[LocalDevice]:
        building = list(self.engine._builders.at_work) if self.engine else []
        while waiting and building:
            for connection in wait(building, WITHIN_SECONDS):
                building.remove(connection)
        return super().now(waiting)


def test_a_builder_that_answers_just_before_a_timing_builds_on_where_no_cpu_is_free_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cpus = SimpleNamespace(all={0, 1}, timing={0, 1}, others=set(), bound=())
    monkeypatch.setattr(engine_module, "Cpus", lambda _threads: cpus)
    devices = DevicesThatComeOnceAllIsBuilt()
    devices.engine = stream = Engine(EngineSettings(builders=2, build_timeout=8), devices, PRELOAD)
    try:
        for inputs in (programs(2), programs(2)):
            assert kinds(measure(stream, inputs)) == [None] * 2
    finally:
        stream.close()


def test_a_program_runs_that_is_released_before_the_engine_has_accepted_it(engine: Callable[..., Engine]) -> None:
    stream = engine()
    held = programs(1)[0]
    futures: list[Future[Measured]] = []

    class Released(deque[Future[Measured]]):
        """The engine's own queue; a program is submitted and released the moment that it looks at it."""

        def __len__(self) -> int:
            if not futures:
                futures.append(stream.submit(AnsorProgram(held), TIMING, hold=True))
                stream.release(futures[0])
            return super().__len__()

    stream._waiting._released = Released()
    measure(stream, programs(1))
    assert results(futures)[0].failure is None


def test_nothing_is_left_when_the_process_that_measures_is_killed(tmp_path: Path) -> None:
    script = (
        "import time\nfrom test_measuring import *\nstream = Engine(EngineSettings(), preload=PRELOAD)\n"
        "futures = [stream.submit(AnsorProgram(one), TIMING) for one in programs(16)]\nfutures[0].result()\n"
        "print('at work', flush=True)\ntime.sleep(1000)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stdout.readline() == b"at work\n"
    started = psutil.Process(process.pid).children(recursive=True)
    assert len(started) >= 2
    process.kill()
    process.wait()
    process.stdout.close()
    assert psutil.wait_procs(started, timeout=5)[1] == []
    assert list(tmp_path.iterdir()) == []


FORK_SERVER_THAT_TELLS_WHOM_IT_ENDS = """
import os, socket, sys, psutil
from familyseer.measuring import fork_server
killpg = os.killpg
def tell_and_end(pid, number):
    print(pid, psutil.pid_exists(pid), flush=True)
    killpg(pid, number)
os.killpg = tell_and_end
fork_server._serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
"""


def test_no_process_group_is_ended_whose_number_may_be_anothers_by_now(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "telling.py").write_text(FORK_SERVER_THAT_TELLS_WHOM_IT_ENDS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(fork_server, "__spec__", SimpleNamespace(name="telling"))
    server = fork_server.ForkServer()
    output = server._output
    try:
        killed, ended, alive = (server.fork("build") for _ in range(3))
        assert all(os.getpgid(child.pid) == child.pid for child in (killed, ended, alive))
        gone = [psutil.Process(child.pid) for child in (killed, ended)]
        os.kill(killed.pid, signal.SIGKILL)
        ended.leave()
        assert psutil.wait_procs(gone, WITHIN_SECONDS)[1] == []
        signalled: list[int] = []
        with monkeypatch.context() as patch:
            patch.setattr(os, "killpg", lambda pid, _number: signalled.append(pid))
            killed.kill()
            alive.resume()
        assert signalled == [alive.pid]
        kept = os.dup(output.fileno())
    finally:
        server.close()
    with os.fdopen(kept, "rb") as told:
        told.seek(0)
        # Among what TVM prints as it is loaded.
        lines = [line for line in told.read().decode().splitlines() if line.endswith((" True", " False"))]
    assert sorted(lines) == sorted(f"{child.pid} True" for child in (killed, ended, alive))


def test_what_a_builder_started_ends_with_it(engine: Callable[..., Engine], tmp_path: Path) -> None:
    def start_another_and_crash() -> None:
        (tmp_path / "pid").write_text(str(subprocess.Popen(["sleep", "1000"]).pid))
        os.kill(os.getpid(), signal.SIGSEGV)

    stream = engine(build_func=linked_but_first(start_another_and_crash, tmp_path / "crashed"), builders=1)
    assert kinds(measure(stream, programs(2))) == ["compile-host", None]
    try:
        started = psutil.Process(int((tmp_path / "pid").read_text()))
    except psutil.NoSuchProcess:
        return
    assert psutil.wait_procs([started], WITHIN_SECONDS)[1] == []


def test_what_is_cancelled_is_not_measured(engine: Callable[..., Engine]) -> None:
    stream = engine(builders=1)
    futures = [stream.submit(AnsorProgram(one), TIMING) for one in programs(16)]
    cancelled = [future for future in reversed(futures) if future.cancel()]
    assert len(cancelled) >= 12
    assert all(future.result(timeout=WITHIN_SECONDS).failure is None for future in futures if not future.cancelled())
    assert kinds(measure(stream, programs(1))) == [None]


def test_clearly_worse_programs_are_timed_once_only(engine: Callable[..., Engine]) -> None:
    inputs = programs(16, size=128)
    timing = Timing(number=1, repeat=3, min_repeat_ms=10)
    everything = measure(engine(build_timeout=50), inputs, timing)
    ended_early = measure(engine(worse_ratio=1.0, build_timeout=50), inputs, timing)
    assert {len(each.costs) for each in everything} == {3}
    assert {len(each.costs) for each in ended_early} == {1, 3}


def test_tvm_tunes_with_our_builder_and_runner(tmp_path: Path) -> None:
    streaming = Streaming(timing=TIMING)
    option = auto_scheduler.TuningOptions(
        num_measure_trials=8,
        num_measures_per_round=4,
        builder=streaming.builder,
        runner=streaming.runner,
        measure_callbacks=[auto_scheduler.RecordToFile(str(tmp_path / "log"))],
        verbose=0,
    )
    task = programs(1)[0].task
    task.tune(option, auto_scheduler.SketchPolicy(task, params={"evolutionary_search_population": 16}, verbose=0))
    assert len((tmp_path / "log").read_text().splitlines()) == 8
    inputs = programs(3)
    measured = streaming.runner.run(inputs, auto_scheduler.LocalBuilder().build(inputs, 0), 0)
    assert [result.error_no for result in measured] == [0, 0, 0]
    wrong = auto_scheduler.LocalRunner().run(inputs, streaming.builder.build(inputs, 0), 0)
    assert "Give TuningOptions both" in str(wrong[0].error_msg)
    streaming.close()


def doubling() -> Callable[[int], Callable[[], Compiled]]:
    """How to make programs that no tuner made; those of 0 and 1 numbers fail on the way."""

    def instantiate(size: int) -> Callable[[], Compiled]:
        if size == 0:
            raise ValueError("There is nothing to double.")
        numbers = te.placeholder((size,), name="numbers")
        doubled = te.compute((size,), lambda index: numbers[index] * 2, name="doubled")
        schedule = te.create_schedule(doubled.op)

        def compile_it() -> Compiled:
            if size == 1:
                raise ValueError("One number is too few.")
            module = tvm.build(schedule, [numbers, doubled], target="llvm")
            return Compiled(module, (Argument((size,), "float32"),) * 2)

        return compile_it

    return instantiate


@dataclass(frozen=True)
class Doubling:
    """A program of such a tuner (measuring/program.py, Program)."""

    size: int
    task: str = "doubling"
    words: str = "doubles numbers"
    target: str = "llvm"

    def build_request(self, link: Callable[..., Any]) -> BuildRequest:
        return BuildRequest(doubling(), self.size, link)

    def values(self, arguments: tuple[Argument, ...]) -> tuple[np.ndarray | None, ...]:
        return np.ones(self.size, "float32"), None


def test_what_any_tuner_builds_is_measured_and_fails_by_what_it_was_at(engine: Callable[..., Engine]) -> None:
    stream = engine()
    measured = results([stream.submit(Doubling(size), TIMING) for size in (64, 0, 1)])
    assert kinds(measured) == [None, "instantiation", "compile-host"]
    assert len(measured[0].costs) == 2 and measured[1].costs == measured[2].costs == ()
    failures = [each.failure.message for each in measured if each.failure]
    assert [message.splitlines()[-1] for message in failures if message] == [
        "ValueError: There is nothing to double.",
        "ValueError: One number is too few.",
    ]


def test_scripts_written_before_find_what_they_import() -> None:
    from familyseer.measuring import tvm_runner

    assert tvm_runner.Streaming is Streaming
    assert tvm_runner.EngineSettings is EngineSettings and tvm_runner.Timing is Timing
