"""The simulated GPU: the same program takes the same time, what no GPU runs fails, and what was measured on a V100 is
ranked nearly so."""

from __future__ import annotations

import numpy as np
import pytest
from familyseer.ansor.core_operation import core_operation
from familyseer.ansor.programs import AnsorProgram
from familyseer.ansor.steps import state_of, steps_of
from familyseer.ansor.target import parse_target
from familyseer.ansor.tasks import TaskList, extract
from familyseer.backends import default_backend
from familyseer.errors import RequestError
from familyseer.experiments.published import PublishedProgram, published_programs
from familyseer.gpu_limits import GPU_LIMITS
from familyseer.operations.job import Job
from familyseer.operations.search import make_engine
from familyseer.simulated.gpu import InvalidProgramError, simulated_seconds
from tvm import auto_scheduler
from tvm.auto_scheduler.feature import get_per_store_features_from_states
from tvm.auto_scheduler.loop_state import StateObject
from tvm.testing.auto_scheduler import matmul_auto_scheduler_test

TARGET = "cuda -arch=sm_70 -model=simulated-v100"


def seconds_of(task: auto_scheduler.SearchTask, state: StateObject) -> float:
    return simulated_seconds(AnsorProgram(auto_scheduler.MeasureInput(task, state)))


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> list[PublishedProgram]:
    tasks: TaskList = extract("mobilenet0.5", 1, "NHWC", parse_target(TARGET), tmp_path_factory.mktemp("cache"))
    found, count = published_programs("mobilenet0.5", tasks.tasks)
    assert len(found) == count == 44
    return found


@pytest.fixture(scope="module")
def matmul() -> auto_scheduler.SearchTask:
    limits = auto_scheduler.HardwareParams(**GPU_LIMITS)
    target = parse_target(TARGET)
    return auto_scheduler.SearchTask(matmul_auto_scheduler_test, (256, 256, 256), target=target, hardware_params=limits)


@pytest.mark.parametrize(("kind", "least"), [("nn.conv2d", 0.8), ("nn.depthwise_conv2d", 0.4)])
def test_measured_programs_of_a_kind_are_ranked_nearly_as_on_the_v100(
    programs: list[PublishedProgram], kind: str, least: float
) -> None:
    of_kind = [program for program in programs if core_operation(program.task.compute_dag) == kind]
    measured = np.array([program.seconds for program in of_kind])
    simulated = np.array([seconds_of(program.task, program.state) for program in of_kind])
    ranks = [np.argsort(np.argsort(values)) for values in (measured, simulated)]
    assert np.corrcoef(*ranks)[0, 1] > least
    assert 0.5 < np.median(simulated / measured) < 2


def test_the_same_program_takes_the_same_time(programs: list[PublishedProgram]) -> None:
    program = programs[4]
    again = state_of(program.task, steps_of(program.task, program.state))
    assert again is not None
    assert seconds_of(program.task, program.state) == seconds_of(program.task, again)


def test_what_verify_gpu_code_rejects_fails_and_nothing_else_does(matmul: auto_scheduler.SearchTask) -> None:
    parameters = {"sample_init_min_population": 8, "evolutionary_search_population": 32}
    policy = auto_scheduler.SketchPolicy(matmul, auto_scheduler.RandomModel(), params=parameters, seed=0, verbose=0)
    fails = []
    for state in list(policy.sample_initial_population())[:8]:
        bound = matmul.compute_dag.infer_bound_from_state(state).state_object
        fails.append(not np.any(get_per_store_features_from_states([bound], matmul)[0]))
        if not fails[-1]:
            assert 1e-6 < seconds_of(matmul, bound) < 1
        else:
            with pytest.raises(InvalidProgramError, match="VerifyGPUCode"):
                seconds_of(matmul, bound)
    assert {*fails} == {True, False}


@pytest.mark.parametrize(
    ("rows", "threads", "message"), [(2048, True, "VerifyGPUCode"), (256, False, "bound to no threads")]
)
def test_too_many_threads_and_none_fail_as_on_a_gpu(rows: int, threads: bool, message: str) -> None:
    task = auto_scheduler.SearchTask(
        matmul_auto_scheduler_test,
        (rows, 16, 16),
        target=parse_target(TARGET),
        hardware_params=auto_scheduler.HardwareParams(**GPU_LIMITS),
    )
    state = task.compute_dag.get_init_state()
    result = task.compute_dag.ops[-1].output(0)
    if threads:
        _row, column, _ = state[result].iters
        state.bind(result, column, "blockIdx.x")
        state.reorder(result, [state[result].iters[1], state[result].iters[0], state[result].iters[2]])
        state.bind(result, state[result].iters[1], "threadIdx.x")
    with pytest.raises(InvalidProgramError, match=message):
        seconds_of(task, task.compute_dag.infer_bound_from_state(state.state_object).state_object)


@pytest.mark.parametrize(("target", "devices"), [("llvm", "simulated"), (TARGET, "local")])
def test_nothing_else_is_simulated_and_nothing_simulated_is_measured(target: str, devices: str) -> None:
    job = Job(default_backend(), target=parse_target(target))
    with pytest.raises(RequestError, match="-model=simulated-v100"):
        make_engine(job, {"devices": {"type": devices}})
