"""Schedules fitted to other tasks and moved by one decision, replayed by TVM."""

from __future__ import annotations

from functools import cache
from math import prod

import numpy as np
import pytest
import tvm
from familyseer.ansor.fitting import fitted
from familyseer.ansor.neighbours import UNROLL_GPU, neighbours
from familyseer.ansor.steps import Replay, Stage, Steps, stages_of, state_of, steps_of
from familyseer.gpu_limits import GPU_LIMITS
from tvm import auto_scheduler, te, topi

CPU, GPU = "llvm", "cuda -arch=sm_70"
needs_cuda = pytest.mark.skipif(
    not tvm.runtime.enabled("cuda"),
    reason="this TVM was built without CUDA; `scripts/setup --cuda` installs one with it",
)


@auto_scheduler.register_workload
def schedules_convolution(kernel: int, size: int, channels: int, filters: int, then: str) -> list[te.Tensor]:
    """A convolution and what networks have after it; only the output of a structure is never inlined."""
    data = te.placeholder((1, size, size, channels), name="p0")
    weight = te.placeholder((kernel, kernel, channels, filters), name="p1")
    bias = te.placeholder((1, 1, 1, filters), name="p2")
    convolved = topi.nn.conv2d_nhwc(data, weight, 1, kernel // 2, 1)
    if then == "nothing":
        return [data, weight, convolved]
    sum_ = topi.add(convolved, bias)
    if then == "relu":
        return [data, weight, bias, topi.nn.relu(sum_)]
    if then == "residual":
        other = te.placeholder((1, size, size, filters), name="p3")
        return [data, weight, bias, other, topi.add(sum_, other)]
    return [data, weight, bias, sum_]


@auto_scheduler.register_workload
def schedules_depthwise(size: int, channels: int) -> list[te.Tensor]:
    data = te.placeholder((1, size, size, channels), name="p0")
    weight = te.placeholder((3, 3, channels, 1), name="p1")
    return [data, weight, topi.nn.relu(topi.nn.depthwise_conv2d_nhwc(data, weight, 1, 1, 1))]


@auto_scheduler.register_workload
def schedules_matmul(rows: int, columns: int, depth: int) -> list[te.Tensor]:
    a, b = te.placeholder((rows, depth), name="a"), te.placeholder((depth, columns), name="b")
    k = te.reduce_axis((0, depth), name="k")
    return [a, b, te.compute((rows, columns), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="c")]


@auto_scheduler.register_workload
def schedules_sum(rows: int, columns: int) -> list[te.Tensor]:
    data = te.placeholder((rows, columns), name="data")
    return [data, topi.sum(data, axis=1)]


@auto_scheduler.register_workload
def schedules_softmax(rows: int, columns: int) -> list[te.Tensor]:
    data = te.placeholder((rows, columns), name="data")
    return [data, topi.nn.softmax(data)]


TASKS = {
    "1x1 alone": (schedules_convolution, (1, 14, 64, 40, "nothing")),
    "3x3 alone": (schedules_convolution, (3, 28, 16, 32, "nothing")),
    "1x1": (schedules_convolution, (1, 14, 48, 32, "bias")),
    "1x1 relu": (schedules_convolution, (1, 28, 24, 60, "relu")),
    "1x1 residual": (schedules_convolution, (1, 7, 96, 64, "residual")),
    "3x3 relu": (schedules_convolution, (3, 14, 16, 24, "relu")),
    "depthwise": (schedules_depthwise, (28, 36)),
    "depthwise small": (schedules_depthwise, (7, 96)),
    "1x1 wide": (schedules_convolution, (1, 28, 24, 120, "residual")),
    "1x1 wide alone": (schedules_convolution, (1, 28, 24, 120, "nothing")),
    "matmul": (schedules_matmul, (128, 96, 64)),
    "matmul other": (schedules_matmul, (60, 512, 100)),
    "sum": (schedules_sum, (8, 4096)),
    "sum other": (schedules_sum, (6, 3000)),
    "softmax": (schedules_softmax, (16, 100)),
}
PAIRS = (
    ("1x1", "1x1 relu"),
    ("1x1", "1x1 residual"),
    ("1x1 relu", "1x1"),
    ("1x1 relu", "1x1 residual"),
    ("1x1 residual", "1x1"),
    ("1x1 residual", "1x1 relu"),
    ("1x1", "3x3 relu"),
    ("3x3 relu", "1x1 residual"),
    ("depthwise", "depthwise small"),
    ("depthwise small", "depthwise"),
    ("matmul", "matmul other"),
    ("sum", "sum other"),
)
# A tiled stage that is the output itself, and one that is not: fused programs alone have a counterpart.
FUSED_PAIRS = (
    ("1x1 relu", "1x1 alone"),
    ("1x1 alone", "1x1"),
    ("1x1 alone", "1x1 residual"),
    ("3x3 alone", "3x3 relu"),
    ("3x3 relu", "3x3 alone"),
)
GPU_PAIRS = (
    ("1x1 alone", "1x1 relu"),
    ("1x1 relu", "1x1 alone"),
    ("matmul", "matmul other"),
    ("1x1", "1x1 relu"),
    ("3x3 relu", "1x1 residual"),
    ("1x1", "3x3 relu"),
)


@cache
def task_of(name: str, target: str = CPU) -> auto_scheduler.SearchTask:
    func, args = TASKS[name]
    limits = auto_scheduler.HardwareParams(**GPU_LIMITS) if target == GPU else None
    return auto_scheduler.SearchTask(func=func, args=args, target=target, hardware_params=limits)


@cache
def stages(name: str, target: str = CPU) -> tuple[Stage, ...]:
    return stages_of(task_of(name, target).compute_dag)


@cache
def samples(name: str, target: str = CPU) -> list[Steps]:
    """The steps of programs that TVM draws."""
    task = task_of(name, target)
    parameters = {"sample_init_min_population": 24, "evolutionary_search_population": 24}
    policy = auto_scheduler.SketchPolicy(task, auto_scheduler.RandomModel(), params=parameters, seed=0, verbose=0)
    states = list(policy.sample_initial_population())[:24]
    assert states, name
    return [steps_of(task, state) for state in states]


def splits(steps: Steps) -> list[list]:
    return [step for step in steps if step[0] == "SP"]


def computes_the_tiles_at_the_output(name: str, steps: Steps) -> bool:
    """Whether the stage that reduces is computed within the tiles of another: fused, as TVM calls it."""
    replay = Replay(stages(name))
    for step in steps:
        if step[0] == "CA" and any(loop.reduction for loop in replay.loops[step[1]]):
            return True
        replay.apply(step)
    return False


def replaying(name: str, programs: list[Steps], target: str = CPU) -> list[Steps]:
    task = task_of(name, target)
    return [steps for steps in programs if state_of(task, steps) is not None]


def outputs(name: str, steps: Steps) -> list[np.ndarray]:
    """What TVM's plain program and the one of some steps compute of the same inputs."""
    dag, results = task_of(name).compute_dag, []
    plain = te.create_schedule([dag.tensors[-1].op]), list(dag.tensors)
    for schedule, tensors in (plain, dag.apply_steps_from_state(state_of(task_of(name), steps))):
        random = np.random.RandomState(0)
        arrays = [random.rand(*(int(extent) for extent in tensor.shape)).astype("float32") for tensor in tensors]
        device_arrays = [tvm.nd.array(array) for array in arrays]
        tvm.build(schedule, tensors, target=CPU)(*device_arrays)
        results.append(device_arrays[-1].numpy())
    return results


def is_a_kernel(name: str, steps: Steps) -> bool:
    """Whether a GPU program keeps to the limits of a GPU."""
    task = task_of(name, GPU)
    state = state_of(task, steps)
    if state is None:
        return False
    module = tvm.lower(*task.compute_dag.apply_steps_from_state(state))
    limits = {key: GPU_LIMITS[key] for key in ("max_shared_memory_per_block", "max_threads_per_block")}
    return tvm.tir.analysis.verify_gpu_code(module["main"], limits)


def test_what_steps_say_survives_a_replay_by_tvm() -> None:
    for steps in samples("1x1 relu"):
        assert steps_of(task_of("1x1 relu"), state_of(task_of("1x1 relu"), steps)) == steps


def test_steps_that_tvm_rejects_make_no_program() -> None:
    task = task_of("matmul")
    assert state_of(task, [["SP", 2, 7, 128, [4], 1]]) is None
    assert state_of(task, [["CI", 9]]) is None
    assert state_of(task, [["FSP", 2, 0, 0, 1]]) is None


@pytest.mark.parametrize("name", TASKS)
def test_a_schedule_fits_its_own_task_unchanged(name: str) -> None:
    # That covers the extents: they are worked out anew, and are those that TVM recorded.
    for steps in samples(name):
        assert fitted(steps, stages(name), stages(name))[0] == steps


@pytest.mark.parametrize(("donor", "recipient"), PAIRS)
def test_schedules_of_a_sibling_replay_with_tiles_that_divide_this_tasks_extents(donor: str, recipient: str) -> None:
    made = [variant for steps in samples(donor) for variant in fitted(steps, stages(donor), stages(recipient))]
    assert len(made) >= len(samples(donor))
    assert len(replaying(recipient, made)) == len(made)
    tvms = {tuple(step[1:4]) for steps in samples(recipient) for step in splits(steps)}
    for steps in made:
        assert {tuple(step[1:4]) for step in splits(steps)} <= tvms
        assert all(extent % prod(lengths) == 0 for _, _, _, extent, lengths, _ in splits(steps))


@pytest.mark.parametrize(("donor", "recipient"), FUSED_PAIRS)
def test_fused_schedules_fit_tasks_that_have_nothing_to_fuse_and_the_other_way_round(
    donor: str, recipient: str
) -> None:
    made = [fitted(steps, stages(donor), stages(recipient)) for steps in samples(donor)]
    fused = [steps for steps in samples(donor) if computes_the_tiles_at_the_output(donor, steps)]
    assert fused and sum(map(bool, made)) == len(fused)
    variants = [each for some in made for each in some]
    assert len(replaying(recipient, variants)) == len(variants)
    assert all(computes_the_tiles_at_the_output(recipient, each) for each in variants)
    tvms = {tuple(step[1:4]) for steps in samples(recipient) for step in splits(steps)}
    for steps in variants:
        assert {tuple(step[1:4]) for step in splits(steps)} <= tvms
        assert all(extent % prod(lengths) == 0 for _, _, _, extent, lengths, _ in splits(steps))


def test_tile_sizes_stay_where_they_divide_in_another_dag() -> None:
    """Every other extent but the channels': those stay."""
    for donor, recipient in (("1x1 relu", "1x1 wide"), ("1x1 relu", "1x1 wide alone"), ("1x1 wide alone", "1x1 wide")):
        fits = 0
        for steps in samples(donor):
            for variant in fitted(steps, stages(donor), stages(recipient))[:1]:
                assert [step[4] for step in splits(variant)] == [step[4] for step in splits(steps)]
                fits += 1
        assert fits


def test_the_nearest_tiles_come_first_then_those_below_and_above() -> None:
    donor, recipient = ((Stage("c", False, (extent,), 1),) for extent in (60, 36))
    made = fitted([["SP", 0, 0, 60, [3, 10], 1]], donor, recipient)
    # 9 is nearest to 10, and of what it leaves, 4, all of it to 3.
    assert made == [[["SP", 0, 0, 36, lengths, 1]] for lengths in ([4, 9], [2, 9], [3, 12])]


def test_a_split_that_did_not_divide_keeps_its_threads() -> None:
    donor, recipient = ((Stage("c", False, (extent,), 1),) for extent in (100, 49))
    assert fitted([["SP", 0, 0, 100, [32], 1]], donor, recipient) == [[["SP", 0, 0, 49, [32], 1]]]


def test_a_vector_that_would_be_too_long_is_a_loop() -> None:
    donor, recipient = ((Stage("c", False, (8, extent), 2),) for extent in (8, 96))
    steps = [["AN", 0, 0, 3], ["AN", 0, 1, 2]]
    assert fitted(steps, donor, donor) == [steps]
    assert fitted(steps, donor, recipient) == [steps[:1]]


def test_numbers_follow_stages_and_steps_that_only_one_side_has() -> None:
    donor = tuple(Stage(name, False, (64,), 1) for name in ("pad", "conv", "add", "out"))
    recipient = (Stage("r", True, (64,), 1), *donor[:2], donor[3])
    steps = [
        ["CI", 2],
        ["CHW", 1, "local"],
        ["SP", 1, 0, 64, [8], 1],
        ["FSP", 4, 0, 2, 1],
        ["CA", 1, 4, 0],
        ["CI", 0],
    ]
    expected = [
        ["CHW", 2, "local"],
        ["SP", 2, 0, 64, [8], 1],
        ["FSP", 4, 0, 1, 1],
        ["CA", 2, 4, 0],
        ["CI", 1],
    ]
    assert fitted(steps, donor, recipient) == [expected]
    assert fitted(expected, recipient, donor) == [
        [["CI", 2], *steps[1:]],
    ]


def test_what_has_no_counterpart_is_not_fitted() -> None:
    assert fitted(samples("sum")[0], stages("sum"), stages("1x1")) == []
    assert fitted(samples("1x1")[0], stages("1x1"), stages("depthwise")) == []
    assert fitted(samples("softmax")[0], stages("softmax"), stages("sum")) == []
    donor = tuple(Stage(name, False, (64,), 1) for name in ("conv", "add", "out"))
    # The sibling lacks a stage that was not inlined.
    assert fitted([["SP", 1, 0, 64, [8], 1]], donor, (donor[0], donor[2])) == []
    # It has one that cannot be inlined.
    assert fitted([], (donor[0], donor[2]), (donor[0], Stage("sum", False, (64, 8), 1), donor[2])) == []


@pytest.mark.parametrize("name", TASKS)
def test_no_neighbour_is_twice_there_nor_the_start_itself(name: str) -> None:
    for steps in samples(name)[:4]:
        made = neighbours(steps, stages(name))
        assert made and made == neighbours(steps, stages(name))
        assert steps not in made and all(made.count(one) == 1 for one in made)


def test_most_neighbours_replay() -> None:
    """Of all tasks together: of one random program with few neighbours TVM may reject several."""
    made = {name: [one for steps in samples(name)[:4] for one in neighbours(steps, stages(name))] for name in TASKS}
    replayed = sum(len(replaying(name, each)) for name, each in made.items())
    assert replayed > 0.8 * sum(map(len, made.values()))


def test_a_neighbour_moves_one_prime_factor_between_two_levels_of_a_tile() -> None:
    stages_ = (Stage("c", False, (12,), 1),)
    made = [steps[0][4] for steps in neighbours([["SP", 0, 0, 12, [2, 1], 1]], stages_)]
    # The levels are 6, 2 and 1.
    assert made == [[4, 1], [2, 2], [6, 1], [2, 3], [1, 1], [1, 2]]


def test_an_innermost_tile_stays_short_enough_for_a_vector() -> None:
    made = neighbours([["SP", 0, 0, 512, [64], 1]], (Stage("c", False, (512,), 1),))
    assert [steps[0][4] for steps in made] == [[32]]


def test_a_split_of_a_fused_loop_follows_the_tiles_that_were_fused() -> None:
    steps = [["SP", 0, 0, 16, [4], 1], ["FU", 0, [1, 2]], ["SP", 0, 1, 32, [8], 1]]
    made = neighbours(steps, (Stage("c", False, (16, 8), 2),))
    assert [["SP", 0, 0, 16, [2], 1], ["FU", 0, [1, 2]], ["SP", 0, 1, 16, [8], 1]] in made


def test_neighbours_have_other_unrolling_places_and_parallel_loops() -> None:
    stages_ = (Stage("pad", False, (8, 8), 2), Stage("c", False, (8, 8, 8, 3), 3))
    steps = [
        ["CA", 0, 1, 1],
        ["FU", 1, [0, 1]],
        ["AN", 1, 0, 3],
        ["PR", 1, 0, "auto_unroll_max_step$16"],
        ["AN", 1, 2, 1],
    ]

    def with_step(index: int, *others: list) -> Steps:
        return [*steps[:index], *others, *steps[index + len(others) :]]

    assert neighbours(steps, stages_, unroll=(0, 16)) == [
        with_step(0, ["CA", 0, 1, 0]),
        with_step(0, ["CA", 0, 1, 2]),
        [*steps[:1], ["FU", 1, [0]], *steps[2:4], ["AN", 1, 3, 1]],
        [*steps[:1], ["FU", 1, [0, 1, 2]], *steps[2:4], ["AN", 1, 1, 1]],
        with_step(3, ["PR", 1, 0, "auto_unroll_max_step$0"]),
    ]


@pytest.mark.parametrize(
    ("donor", "recipient"),
    [("1x1 relu", "1x1 residual"), ("3x3 relu", "1x1"), PAIRS[-2], *FUSED_PAIRS[:2]],
)
def test_fitted_programs_and_their_neighbours_compute_what_the_plain_program_does(donor: str, recipient: str) -> None:
    made = (fitted(each, stages(donor), stages(recipient)) for each in samples(donor))
    steps = next(variants[0] for variants in made if variants)
    valid = replaying(recipient, neighbours(steps, stages(recipient)))
    for each in (steps, valid[0], valid[-1]):
        plain, scheduled = outputs(recipient, each)
        np.testing.assert_allclose(scheduled, plain, rtol=1e-4)


@needs_cuda
@pytest.mark.parametrize(("donor", "recipient"), GPU_PAIRS)
def test_gpu_schedules_fit_and_move_too(donor: str, recipient: str) -> None:
    ours = stages(recipient, GPU)
    made = [variant for steps in samples(donor, GPU) for variant in fitted(steps, stages(donor, GPU), ours)]
    assert made and len(replaying(recipient, made, GPU)) > 0.8 * len(made)
    around = neighbours(made[0], ours, UNROLL_GPU)
    assert len(replaying(recipient, around, GPU)) > 0.8 * len(around)
    assert any(is_a_kernel(recipient, steps) for steps in made)
    assert any(is_a_kernel(recipient, steps) for steps in around)
