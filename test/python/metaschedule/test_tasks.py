"""Tasks: their order, the cache, and what is said of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

import pytest
import tvm
from familyseer.errors import RequestError
from familyseer.interpreter import environment
from familyseer.metaschedule.core_operation import core_operation, structure, task_words, tiled_stage
from familyseer.metaschedule.networks.network import Maker
from familyseer.metaschedule.target import MetaTarget
from familyseer.metaschedule.tasks import describe, extract, extract_tasks
from tvm import relax
from tvm.relax import op

Shapes = Sequence[Sequence[int]]


def function_of(shapes: Shapes, compute: Callable[..., Any], target: MetaTarget) -> tvm.tirx.PrimFunc:
    """The last function that TVM makes of an operator on inputs of these shapes."""
    maker = Maker()
    inputs = [maker.input(f"x{number}", shape) for number, shape in enumerate(shapes)]
    tasks, _weights = extract_tasks(maker.network(lambda: compute(*inputs)), target.tvm)
    return tasks[-1].module["main"]


IMAGE = (1, 8, 14, 14)


@pytest.mark.parametrize(
    ("shapes", "compute", "operation", "words"),
    [
        ([IMAGE, (16, 8, 3, 3)], lambda x, w: op.nn.conv2d(x, w, padding=1), "nn.conv2d", "conv2d 3x3 14x14x8 -> 16"),
        (
            [IMAGE, (16, 2, 3, 3)],
            lambda x, w: op.nn.conv2d(x, w, groups=4),
            "nn.group_conv2d",
            "group_conv2d 3x3 14x14x8 -> 16",
        ),
        (
            [IMAGE, (8, 1, 3, 3)],
            lambda x, w: op.nn.conv2d(x, w, groups=8),
            "nn.depthwise_conv2d",
            "depthwise_conv2d 3x3 14x14x8",
        ),
        (
            [IMAGE, (8, 16, 4, 4)],
            lambda x, w: op.nn.conv2d_transpose(x, w, strides=(2, 2), padding=(1, 1)),
            "nn.conv2d_transpose",
            "conv2d_transpose 1x8x14x14 -> 1x16x28x28",
        ),
        ([(1, 8, 14), (8, 16, 3)], op.nn.conv1d_transpose, "nn.conv1d_transpose", None),
        ([(1, 8, 14), (4, 8, 3)], op.nn.conv1d, "nn.conv1d", "conv1d 1x8x14 -> 1x4x12"),
        ([(1, 8, 6, 6, 6), (4, 8, 3, 3, 3)], op.nn.conv3d, "nn.conv3d", None),
        ([(4, 64), (64, 32)], op.matmul, "nn.dense", "dense 4x64 -> 32"),
        ([(2, 4, 64), (64, 32)], op.matmul, "nn.dense", "dense 2x4x64 -> 32"),
        ([(2, 4, 64), (2, 64, 32)], op.matmul, "nn.batch_matmul", "batch_matmul 2x4x64 -> 2x4x32"),
        ([(1, 4, 64), (1, 64, 32)], op.matmul, "nn.batch_matmul", "batch_matmul 1x4x64 -> 1x4x32"),
        ([IMAGE], lambda x: op.nn.max_pool2d(x, (2, 2)), "nn.max_pool2d", "max_pool2d 1x8x14x14 -> 1x8x13x13"),
        ([IMAGE], lambda x: op.nn.avg_pool2d(x, (2, 2)), "nn.avg_pool2d", None),
        ([IMAGE], lambda x: op.nn.adaptive_avg_pool2d(x, (1, 1)), "nn.global_avg_pool2d", None),
        ([IMAGE], lambda x: op.nn.adaptive_avg_pool2d(x, (2, 2)), "nn.adaptive_avg_pool2d", None),
        ([(4, 100)], op.nn.softmax, "nn.softmax", "softmax 4x100"),
        ([(4, 100)], op.nn.log_softmax, "nn.log_softmax", "log_softmax 4x100"),
        ([(4, 100), (100,), (100,)], lambda *x: op.nn.layer_norm(*x, axes=[-1]), "nn.layer_norm", "layer_norm 4x100"),
        ([(4, 100)], lambda x: op.sum(x, axis=1), "sum", "sum 4x100 -> 4"),
        ([(4, 100)], lambda x: op.mean(x, axis=1), "mean", "mean 4x100 -> 4"),
        ([(4, 100)], lambda x: op.max(x, axis=1), "max", "max 4x100 -> 4"),
        ([(4, 100)], lambda x: op.argmax(x, axis=1), "argmax", "argmax 4x100 -> 4"),
        ([(4, 100)], op.nn.relu, "elementwise", "elementwise 4x100"),
        ([(4, 100), (4, 100)], lambda x, y: op.concat([x, y], axis=1), "concatenate", "concatenate 4x200"),
        ([(4, 100)], op.permute_dims, "injective", "injective 100x4"),
    ],
)
def test_core_operations_have_the_auto_schedulers_names(
    shapes: Shapes, compute: Callable[..., Any], operation: str, words: str | None, target: MetaTarget
) -> None:
    function = function_of(shapes, compute, target)
    assert core_operation(function) == operation
    assert words in (None, task_words(function))


def test_structures_are_the_same_for_other_extents_alone(target: MetaTarget) -> None:
    def convolution(size: int, channels: int, stride: int, relu: bool = False) -> str:
        def compute(x: relax.Var, w: relax.Var) -> relax.Expr:
            y = op.nn.conv2d(x, w, strides=stride, padding=1)
            return op.nn.relu(y) if relu else y

        return structure(function_of([(1, 8, size, size), (channels, 8, 3, 3)], compute, target))

    assert convolution(14, 16, 1) == convolution(28, 32, 1)
    assert len({convolution(14, 16, 1), convolution(14, 16, 2), convolution(14, 16, 1, relu=True)}) == 3


def test_the_tiled_stage_is_the_same_whatever_comes_after_it_and_for_other_extents(target: MetaTarget) -> None:
    def stage(size: int = 14, channels: int = 16, kernel: int = 3, stride: int = 1, then: str = "") -> str:
        def compute(x: relax.Var, w: relax.Var) -> relax.Expr:
            y = op.nn.conv2d(x, w, strides=stride, padding=kernel // 2)
            return {"": lambda: y, "relu": lambda: op.nn.relu(y), "clip": lambda: op.clip(y, 0, 6)}[then]()

        return tiled_stage(function_of([(1, 8, size, size), (channels, 8, kernel, kernel)], compute, target))

    same = {stage(), stage(size=28), stage(channels=48), stage(then="relu"), stage(then="clip")}
    assert len(same) == 1 and "" not in same
    others = {stage(kernel=1), stage(kernel=5), stage(stride=2), stage(kernel=1, stride=2)}
    assert len(others) == 4 and not same & others
    assert tiled_stage(function_of([(4, 8)], op.nn.relu, target)) == ""


def test_what_is_said_of_tasks_is_the_same_in_every_process(target: MetaTarget) -> None:
    program = (
        "from familyseer.metaschedule.tasks import describe, extract\n"
        "from familyseer.metaschedule.target import parse_target\n"
        f"print(*map(describe, extract('mobilenet0.5', 1, 'NHWC', parse_target('{target}'), None).tasks), sep='\\n')"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=environment(PYTHONHASHSEED=seed),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    here = extract("mobilenet0.5", 1, "NHWC", target, None).tasks
    assert said == {"".join(f"{describe(task)}\n" for task in here)}


def test_the_cache_gives_the_same_tasks(tmp_path: Path, target: MetaTarget) -> None:
    fresh, cached = (extract("mlp", 1, "NHWC", target, tmp_path) for _ in range(2))
    assert (fresh.from_cache, cached.from_cache) == (False, True)
    assert [describe(task) for task in fresh.tasks] == [describe(task) for task in cached.tasks]
    assert (fresh.weights, fresh.inputs) == (cached.weights, cached.inputs)
    assert not extract("mlp", 2, "NHWC", target, tmp_path).from_cache
    entries = list(tmp_path.glob("tasks-*.json"))
    assert len(entries) == 2
    for entry in entries:
        entry.write_text("[")
    assert not extract("mlp", 1, "NHWC", target, tmp_path).from_cache


def test_extraction_imports_no_tensor_intrinsics() -> None:
    program = (
        "import sys\n"
        "from familyseer.metaschedule.tasks import extract\n"
        "from familyseer.metaschedule.target import parse_target\n"
        "extract('mlp', 1, 'NHWC', parse_target('native'), None)\n"
        "print('tvm.s_tir.tensor_intrin' in sys.modules)"
    )
    asked = [sys.executable, "-c", program]
    assert subprocess.run(asked, env=environment(), capture_output=True, text=True).stdout == "False\n"


def test_a_network_without_tasks_is_refused(tmp_path: Path, target: MetaTarget) -> None:
    maker = Maker()
    x = maker.input("x", (4, 8))
    path = tmp_path / "a.json"
    path.write_text(tvm.ir.save_json(maker.network(lambda: op.reshape(x, (8, 4))).module))
    with pytest.raises(RequestError, match="has no task to tune for the target llvm -num-cores=2"):
        extract(str(path), 1, "NHWC", target, None)
