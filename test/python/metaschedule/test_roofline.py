"""The roofline is below what any real program of a task takes."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from familyseer.measuring.cpus import allowed_cpus, run_on
from familyseer.metaschedule.roofline import Kernels, compulsory_bytes, least_seconds
from familyseer.metaschedule.target import MetaTarget
from familyseer.metaschedule.tasks import ExtractedTask
from familyseer.roofline import LANES, Machine, machine_of
from tvm import s_tir, te, topi

TARGET = tvm.target.Target(
    {"kind": "llvm", "mcpu": tvm.get_global_func("target.llvm_get_system_cpu")(), "num-cores": 1}
)
CPU = (min(allowed_cpus()),)


@pytest.fixture(scope="module")
def machine() -> Machine:
    return run_on(CPU, machine_of, Kernels(TARGET), 1)


def convolution() -> tvm.IRModule:
    data = te.placeholder((1, 16, 16, 32), name="data")
    kernel = te.placeholder((3, 3, 32, 32), name="kernel")
    output = topi.nn.conv2d(data, kernel, 1, 1, 1, data_layout="NHWC", kernel_layout="HWIO")
    return tvm.IRModule({"main": te.create_prim_func([data, kernel, output])})


def fast_program(module: tvm.IRModule) -> s_tir.Schedule:
    """Tiles that stay in registers, vectors of the channels: a good program, though no tuned one."""
    schedule = s_tir.Schedule(module)
    schedule.compute_inline(next(block for block in blocks(schedule) if "pad" in schedule.get(block).name_hint))
    (block,) = blocks(schedule)
    n, y, x, channel, ky, kx, depth = schedule.get_loops(block)
    outer, inner = schedule.split(channel, [None, 16])
    left, tile = schedule.split(x, [None, 8])
    schedule.reorder(n, y, left, outer, ky, kx, depth, tile, inner)
    schedule.unroll(tile)
    schedule.vectorize(inner)
    schedule.decompose_reduction(block, ky)
    return schedule


def blocks(schedule: s_tir.Schedule) -> list[object]:
    return list(schedule.get_child_blocks(schedule.get_sblock("root")))


def seconds_of(schedule: s_tir.Schedule) -> float:
    module = tvm.compile(schedule.mod, TARGET).jit()
    arrays = [
        tvm.runtime.tensor(np.ones([int(extent) for extent in each.shape], "float32"))
        for each in schedule.mod["main"].params
    ]
    timer = module.time_evaluator("main", tvm.cpu(), number=1, repeat=20, min_repeat_ms=1)
    return float(min(timer(*arrays).results))


@pytest.mark.timed
def test_no_program_of_a_convolution_is_faster_than_its_bound() -> None:
    module = convolution()
    (least,) = run_on(CPU, least_seconds, [ExtractedTask("conv2d", module)], MetaTarget("llvm", TARGET), 1)
    plain, fast = (run_on(CPU, seconds_of, each) for each in (s_tir.Schedule(module), fast_program(module)))
    assert fast < plain
    # On a machine that others share, the peak and the programs are not timed under the same load.
    assert 0 < least < 1.5 * fast
    # Nor is it far below.
    assert fast < 20 * least


def test_a_machine_does_billions_of_operations_a_second(machine: Machine) -> None:
    assert 1e9 < machine.flops_per_second < 1e14
    assert 1e9 < machine.bytes_per_second < 1e14
    # No core does more than four multiply-adds of its widest vectors in a cycle.
    assert machine.flops_per_second < 4 * 2 * max(LANES) * 8e9


@pytest.mark.parametrize(
    "target",
    [
        {"kind": "cuda", "arch": "sm_90"},
        {"kind": "llvm", "num-cores": 1, "mcpu": "generic", "mattr": ["+neon"]},
        {"kind": "llvm", "num-cores": 1, "mtriple": "aarch64-linux-gnu"},
    ],
)
def test_other_machines_have_no_bound(target: dict[str, object]) -> None:
    assert least_seconds([], MetaTarget("other", tvm.target.Target(target)), 1) is None


def test_inputs_count_as_far_as_they_are_read() -> None:
    source, indices = te.placeholder((100, 64), name="source"), te.placeholder((3,), "int32", name="indices")
    taken = te.compute((3, 64), lambda i, j: source[indices[i], j], name="taken")
    assert compulsory_bytes(te.create_prim_func([source, indices, taken])) == (3 * 64 + 3 + 3 * 64) * 4
    strided = te.compute((50, 64), lambda i, j: source[i * 2, j] + 1.0, name="strided")
    assert compulsory_bytes(te.create_prim_func([source, strided])) == 2 * 50 * 64 * 4
    diagonal = te.compute((64,), lambda i: source[i, i] + 1.0, name="diagonal")
    assert compulsory_bytes(te.create_prim_func([source, diagonal])) == 2 * 64 * 4


def test_what_blocks_hand_on_to_each_other_moves_nothing() -> None:
    module = convolution()
    assert compulsory_bytes(module["main"]) == (2 * 16 * 16 * 32 + 9 * 32 * 32) * 4
