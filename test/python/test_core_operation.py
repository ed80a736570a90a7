"""The core operation of real compute DAGs, for a CPU and for a GPU."""

import pytest
from familyseer.ansor.core_operation import core_operation, task_words, tiled_stage
from tvm import auto_scheduler, te, topi


def dag(*tensors: te.Tensor) -> auto_scheduler.ComputeDAG:
    return auto_scheduler.ComputeDAG(list(tensors))


def tensor(name: str, *shape: int) -> te.Tensor:
    return te.placeholder(shape, name=name)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda x, w: topi.nn.conv2d_nhwc(x, w, 1, 1, 1), "nn.conv2d"),
        (lambda x, w: topi.nn.relu(topi.nn.conv2d_nhwc(x, w, 1, 1, 1)), "nn.conv2d"),
    ],
)
def test_convolution(build, expected) -> None:  # noqa: ANN001
    x, w = tensor("x", 1, 14, 14, 8), tensor("w", 3, 3, 8, 16)
    y = build(x, w)
    assert core_operation(dag(x, w, y)) == expected
    assert task_words(dag(x, w, y)) == "conv2d 3x3 14x14x8 -> 16"


def test_depthwise_is_not_a_plain_convolution() -> None:
    x, w = tensor("x", 1, 14, 14, 8), tensor("w", 3, 3, 8, 1)
    y = topi.nn.depthwise_conv2d_nhwc(x, w, 1, 1, 1)
    assert core_operation(dag(x, w, y)) == "nn.depthwise_conv2d"
    assert task_words(dag(x, w, y)) == "depthwise_conv2d 3x3 14x14x8"


def test_transposed_convolution() -> None:
    x, w = tensor("x", 1, 8, 14, 14), tensor("w", 8, 16, 4, 4)
    y = topi.nn.conv2d_transpose_nchw(x, w, (2, 2), (1, 1), "float32", (0, 0))
    assert core_operation(dag(x, w, y)) == "nn.conv2d_transpose"


def test_dense_and_batch_matmul() -> None:
    x, w = tensor("x", 4, 64), tensor("w", 32, 64)
    assert core_operation(dag(x, w, topi.nn.dense(x, w))) == "nn.dense"
    a, b = tensor("a", 2, 4, 64), tensor("b", 2, 32, 64)
    assert core_operation(dag(a, b, topi.nn.batch_matmul(a, b))) == "nn.batch_matmul"


def test_pooling() -> None:
    x = tensor("x", 1, 8, 14, 14)
    pool = topi.nn.pool2d(x, (2, 2), (2, 2), (1, 1), (0, 0, 0, 0), "max")
    assert core_operation(dag(x, pool)) == "nn.max_pool2d"
    assert core_operation(dag(x, topi.nn.global_pool(x, "avg"))) == "nn.global_avg_pool2d"
    assert core_operation(dag(x, topi.nn.adaptive_pool(x, (2, 2), "avg"))) == "nn.adaptive_avg_pool2d"


def test_reductions_softmax_and_elementwise() -> None:
    x = tensor("x", 4, 100)
    assert core_operation(dag(x, topi.nn.softmax(x))) == "nn.softmax"
    assert core_operation(dag(x, topi.sum(x, axis=1))) == "sum"
    assert core_operation(dag(x, topi.max(x, axis=1))) == "max"
    assert core_operation(dag(x, topi.argmax(x, axis=1))) == "argmax"
    assert core_operation(dag(x, topi.nn.relu(x))) == "elementwise"


def test_the_tiled_stage_is_the_same_whatever_comes_after_it_and_for_other_extents() -> None:
    def stage(size: int = 14, channels: int = 16, kernel: int = 3, stride: int = 1, then: str = "") -> str:
        x, w = tensor("p0", 1, size, size, 8), tensor("p1", kernel, kernel, 8, channels)
        y, bias = topi.nn.conv2d_nhwc(x, w, stride, kernel // 2, 1), tensor("p2", 1, 1, 1, channels)
        if then == "":
            return tiled_stage(dag(x, w, y))
        end = {"bias": lambda z: z, "relu": topi.nn.relu, "clip": lambda z: topi.clip(z, 0, 6)}[then](topi.add(y, bias))
        return tiled_stage(dag(x, w, bias, end))

    same = {stage(), stage(size=28), stage(channels=48), stage(then="bias"), stage(then="relu"), stage(then="clip")}
    assert len(same) == 1
    others = {stage(kernel=1), stage(kernel=5), stage(stride=2), stage(kernel=1, stride=2)}
    assert len(others) == 4 and not same & others


def test_the_tiled_stages_of_other_operations_differ_and_what_sums_nothing_up_has_none() -> None:
    x, w = tensor("p0", 16, 64), tensor("p1", 32, 64)
    depthwise = tensor("p0", 1, 14, 14, 8), tensor("p1", 3, 3, 8, 1)
    a, b = tensor("p0", 2, 16, 64), tensor("p1", 2, 32, 64)
    stages = {
        tiled_stage(dag(x, w, topi.nn.dense(x, w))),
        tiled_stage(dag(*depthwise, topi.nn.depthwise_conv2d_nhwc(*depthwise, 1, 1, 1))),
        tiled_stage(dag(a, b, topi.nn.batch_matmul(a, b))),
        tiled_stage(dag(x, topi.sum(x, axis=1))),
        tiled_stage(dag(x, topi.max(x, axis=1))),
    }
    assert len(stages) == 5 and "" not in stages
    assert tiled_stage(dag(x, topi.nn.relu(x))) == ""
