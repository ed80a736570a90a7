"""The draft ranks real programs without having seen one; the roofline is below what any of them takes."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from familyseer.ansor import features
from familyseer.ansor.roofline import compulsory_bytes, least_seconds, measure_machine
from familyseer.gpu_limits import GPU_LIMITS
from familyseer.learning.draft import draft_scores
from familyseer.roofline import Machine
from tvm import auto_scheduler, te, topi
from tvm.testing.auto_scheduler import matmul_auto_scheduler_test

pytestmark = pytest.mark.timed

SIZE = 256
PROGRAMS = 64
CPU = tvm.target.Target("llvm")


def matmul(target: tvm.target.Target = CPU) -> auto_scheduler.SearchTask:
    limits = auto_scheduler.HardwareParams(**GPU_LIMITS) if target.kind.name == "cuda" else None
    return auto_scheduler.SearchTask(
        matmul_auto_scheduler_test, (SIZE, SIZE, SIZE), target=target, hardware_params=limits
    )


def score(task: auto_scheduler.SearchTask, *states: auto_scheduler.loop_state.State, **options: int) -> np.ndarray:
    objects = [state.state_object if hasattr(state, "state_object") else state for state in states]
    return draft_scores(features.of_states(objects, task), features.columns(), task.target.kind.name, **options)


def seconds_of(task: auto_scheduler.SearchTask, state: auto_scheduler.loop_state.StateObject) -> float:
    module = tvm.build(*task.compute_dag.apply_steps_from_state(state), task.target)
    arrays = [tvm.nd.array(np.ones((SIZE, SIZE), "float32")) for _ in range(3)]
    return min(module.time_evaluator(module.entry_name, tvm.cpu(), number=1, repeat=5)(*arrays).results)


@pytest.fixture(scope="module")
def sampled() -> tuple[auto_scheduler.SearchTask, list[auto_scheduler.loop_state.StateObject], np.ndarray]:
    """Random programs of a matmul, and the seconds they really take."""
    task = matmul()
    parameters = {"sample_init_min_population": PROGRAMS}
    policy = auto_scheduler.SketchPolicy(task, auto_scheduler.RandomModel(), params=parameters, seed=0, verbose=0)
    states = list(policy.sample_initial_population())[:PROGRAMS]
    return task, states, np.array([seconds_of(task, state) for state in states])


@pytest.fixture(scope="module")
def machine() -> Machine:
    measured = measure_machine(CPU)
    assert measured is not None
    return measured


def test_the_better_half_of_random_programs_is_faster_and_has_the_fastest_or_nearly(sampled: tuple) -> None:
    task, states, seconds = sampled
    scores = score(task, *states)
    by_score = np.argsort(-scores)
    better, worse = seconds[by_score[: PROGRAMS // 2]], seconds[by_score[PROGRAMS // 2 :]]
    assert np.median(better) < np.median(worse)
    assert better.min() < 1.5 * seconds.min()


def test_a_vectorised_loop_is_preferred_and_one_that_strides_is_not() -> None:
    task = matmul()
    result = task.compute_dag.ops[-1].output(0)

    def with_innermost(axis: int, vectorised: bool) -> auto_scheduler.loop_state.State:
        state = task.compute_dag.get_init_state()
        i, j, k = state[result].iters
        state.reorder(result, [each for each in (i, k, j) if each is not (i, j)[axis]] + [(i, j)[axis]])
        if vectorised:
            state.vectorize(result, state[result].iters[-1])
        return state

    vectorised, strided = score(task, with_innermost(1, True), with_innermost(0, False))
    # Scores are minus cycles.
    assert vectorised / strided < 0.25


def test_parallel_loops_cost_a_launch_and_pay_on_many_cores() -> None:
    task = matmul()
    result = task.compute_dag.ops[-1].output(0)
    serial, parallel = task.compute_dag.get_init_state(), task.compute_dag.get_init_state()
    parallel.parallel(result, parallel[result].iters[0])
    alone, launched = score(task, serial, parallel, cores=1)
    assert launched < alone
    alone, spread = score(task, serial, parallel, cores=16)
    assert spread / alone < 1 / 8


def test_a_program_without_features_scores_minus_infinity(sampled: tuple) -> None:
    task, states, _ = sampled
    rows, columns = features.of_states(states[:3], task), features.columns()
    expected = draft_scores(rows, columns, "llvm")
    # What TVM gives for a program it fails to lower.
    rows[1] = np.zeros((1, rows[0].shape[1]), np.float32)
    scores = draft_scores(rows, columns, "llvm")
    assert list(np.isneginf(scores)) == [False, True, False]
    assert scores[0] == expected[0] and scores[2] == expected[2]
    assert draft_scores([], columns, "llvm").shape == (0,)
    assert np.isneginf(draft_scores([rows[1]], columns, "cuda")).all()


def test_on_a_gpu_whole_warps_and_enough_blocks_are_preferred() -> None:
    task = matmul(tvm.target.Target("cuda -arch=sm_70"))
    result = task.compute_dag.ops[-1].output(0)

    def bound(threads: int) -> auto_scheduler.loop_state.State:
        state = task.compute_dag.get_init_state()
        i, j, _ = state[result].iters
        both = state.fuse(result, [i, j])
        outer, inner = state.split(result, both, [threads])
        state.bind(result, outer, "blockIdx.x")
        state.bind(result, inner, "threadIdx.x")
        return state

    whole, part, few_blocks = score(task, bound(128), bound(8), bound(SIZE * SIZE // 8))
    assert whole > part
    assert whole > few_blocks


def test_no_real_program_is_faster_than_the_roofline(sampled: tuple, machine: Machine) -> None:
    task, _, seconds = sampled
    least = least_seconds(task.compute_dag, machine)
    # On a machine that others share, the peak and the programs are not timed under the same load.
    assert 0 < least < 1.5 * seconds.min()
    # Nor is it far below: random programs reach a hundredth of the peak at least.
    assert seconds.min() < 100 * least


def test_a_machine_does_billions_of_operations_a_second_and_has_no_gpu_or_other_cpu(machine: Machine) -> None:
    assert 1e9 < machine.flops_per_second < 1e14
    assert 1e9 < machine.bytes_per_second < 1e14
    assert measure_machine(tvm.target.Target("cuda -arch=sm_70")) is None
    assert measure_machine(tvm.target.Target("llvm -mcpu=generic -mattr=+neon")) is None
    assert measure_machine(tvm.target.Target("llvm -mtriple=aarch64-linux-gnu")) is None


def test_the_slower_of_arithmetic_and_traffic_counts() -> None:
    dag = matmul().compute_dag
    assert compulsory_bytes(dag) == 3 * SIZE * SIZE * 4
    assert least_seconds(dag, Machine(dag.flop_ct, 1e30)) == pytest.approx(1)
    assert least_seconds(dag, Machine(1e30, 3 * SIZE * SIZE * 4)) == pytest.approx(1)


def test_inputs_count_as_far_as_they_are_read() -> None:
    source, indices = te.placeholder((100, 64), name="source"), te.placeholder((3,), "int32", name="indices")
    taken = te.compute((3, 64), lambda i, j: source[indices[i], j], name="taken")
    assert compulsory_bytes(auto_scheduler.ComputeDAG([source, indices, taken])) == (3 * 64 + 3 + 3 * 64) * 4
    strided = te.compute((50, 64), lambda i, j: source[i * 2, j] + 1.0, name="strided")
    assert compulsory_bytes(auto_scheduler.ComputeDAG([source, strided])) == 2 * 50 * 64 * 4
    diagonal = te.compute((64,), lambda i: source[i, i] + 1.0, name="diagonal")
    assert compulsory_bytes(auto_scheduler.ComputeDAG([source, diagonal])) == 2 * 64 * 4
    images = te.placeholder((1, 7, 7, 32), name="images")
    pooled = topi.nn.adaptive_pool(images, (1, 1), "avg", "NHWC")
    assert compulsory_bytes(auto_scheduler.ComputeDAG([images, pooled])) == (7 * 7 * 32 + 32) * 4
