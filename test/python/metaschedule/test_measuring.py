"""MetaSchedule's programs in the streaming engine, with real builders, runners and RPC servers."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from familyseer.experiments.programs_in_c import linked_from_c
from familyseer.measuring.devices import make_devices
from familyseer.measuring.engine import Engine, EngineSettings
from familyseer.measuring.program import Measured
from familyseer.measuring.run import Timing
from familyseer.measuring.servers import LocalServers
from familyseer.metaschedule.programs import ScheduledProgram, preload
from tasks_to_measure import candidates, target
from tvm import IRModule
from tvm.s_tir import meta_schedule as ms

QUICK = Timing(timeout=20, number=1, repeat=2, min_repeat_ms=5)
WITHIN_SECONDS = 60


@pytest.fixture(scope="module")
def found() -> list[Any]:
    return candidates(6, size=128)


@pytest.fixture(scope="module")
def programs(found: list[Any]) -> list[ScheduledProgram]:
    return [program_of(each.sch.mod) for each in found]


def program_of(module: IRModule) -> ScheduledProgram:
    return ScheduledProgram("product", "a matrix product", module, target())


@pytest.fixture
def engine() -> Iterator[Callable[..., Engine]]:
    engines = []

    def make(devices: Any = None, **settings: Any) -> Engine:
        engines.append(Engine(EngineSettings(**settings), devices, preload(target().tvm)))
        return engines[-1]

    yield make
    for each in engines:
        each.close()


def measure(engine: Engine, programs: list[ScheduledProgram], timing: Timing = QUICK) -> list[Measured]:
    futures = [engine.submit(program, timing) for program in programs]
    return [future.result(timeout=WITHIN_SECONDS) for future in futures]


def kinds(measured: list[Measured]) -> list[str | None]:
    """Why each failed; None of one that ran."""
    return [each.failure.kind if each.failure else None for each in measured]


@pytest.mark.timed
def test_times_agree_with_tvms_own_runner(
    engine: Callable[..., Engine], found: list[Any], programs: list[ScheduledProgram]
) -> None:
    stream, timing = engine(), Timing(number=5, repeat=20, min_repeat_ms=0)
    built = [stream.build(program).result(timeout=WITHIN_SECONDS) for program in programs]
    config = ms.runner.EvaluatorConfig(timing.number, timing.repeat, timing.min_repeat_ms)
    runner = ms.runner.LocalRunner(evaluator_config=config)
    inputs = [ms.runner.RunnerInput(one.path, "cpu", each.args_info) for one, each in zip(built, found)]
    ours, theirs = [], []
    # What else runs on the machine only lengthens a time: the least of many short ones is nearest to it.
    for _ in range(3):
        ours.append([min(each.costs) for each in measure(stream, programs, timing)])
        theirs.append([min(map(float, future.result().run_secs)) for future in runner.run(inputs)])
    ratios = [min(a) / min(b) for a, b in zip(zip(*ours), zip(*theirs))]
    assert 0.8 < statistics.median(ratios) < 1.25, ratios


def test_a_module_that_cannot_be_built_is_a_failed_program(
    engine: Callable[..., Engine], programs: list[ScheduledProgram]
) -> None:
    measured = measure(engine(), [program_of(IRModule({})), programs[0]])
    assert kinds(measured) == ["instantiation", None]
    # TVM 0.27 lacks a function `main`, 0.26 any.
    assert measured[0].failure is not None and re.search("main|PrimFunc", str(measured[0].failure.message))


@pytest.mark.parametrize(("source", "kind"), [("abort();", "runtime"), ("for (;;);", "run-timeout")])
def test_a_program_that_ends_or_keeps_its_runner_costs_itself(
    engine: Callable[..., Engine], programs: list[ScheduledProgram], source: str, kind: str
) -> None:
    bad = engine(build_func=linked_from_c(source))
    assert kinds(measure(bad, programs[:2], Timing(timeout=2))) == [kind] * 2


def test_programs_run_on_the_servers_of_a_tracker_and_one_that_crashes_there_costs_itself(
    engine: Callable[..., Engine], programs: list[ScheduledProgram]
) -> None:
    servers = LocalServers(2)
    try:
        where = {"type": "tracker", "host": servers.tracker.host, "port": servers.tracker.port, "key": servers.key}
        bad = engine(make_devices(where, target().text), build_func=linked_from_c("abort();"))
        assert kinds(measure(bad, programs[:1])) == ["runtime"]
        bad.close()
        measured = measure(engine(make_devices(where, target().text)), programs)
        assert kinds(measured) == [None] * len(programs)
        assert {str(each.device).partition(":")[0] for each in measured} == {"127.0.0.1"}
    finally:
        servers.terminate()


LOADED = """
import sys, time, tvm
from familyseer.metaschedule import load_intrinsics
from tvm.s_tir import TensorIntrin, meta_schedule as ms
load_intrinsics(tvm.target.Target({"kind": "llvm", "num-cores": 2, "mtriple": "x86_64-linux-gnu"}))
ms.TuneContext()
assert TensorIntrin.get("dot_16x4_vnni", allow_missing=True) is not None
assert "tvm.s_tir.tensor_intrin.cuda" not in sys.modules
from tvm.s_tir import tensor_intrin
assert tensor_intrin.dot_product_common.DP4A_S8S8S32_INTRIN
assert not hasattr(tensor_intrin, "no_such_module")
load_intrinsics(tvm.target.Target({"kind": "cuda", "arch": "sm_70"}))
assert "tvm.s_tir.tensor_intrin.cuda" not in sys.modules
"""


def test_a_target_loads_its_own_intrinsics_alone_and_others_load_when_they_are_asked_for() -> None:
    subprocess.run([sys.executable, "-c", LOADED], check=True, timeout=WITHIN_SECONDS)
