"""The paper's networks in Relax, held against the tasks that its authors published; and the tasks that TVM makes."""

from __future__ import annotations

import functools
import math
from collections import Counter

import pytest
import tvm
from familyseer.errors import RequestError
from familyseer.experiments.published import Core, cores_of_dags, published_dags
from familyseer.metaschedule.networks import PAPER, Network, build_network
from familyseer.metaschedule.networks.network import shape_of
from familyseer.metaschedule.target import MetaTarget
from familyseer.metaschedule.tasks import describe, extract, extract_tasks
from tvm import relax

PUBLISHED = ["resnet50_v1", "mobilenet0.5", "mobilenetv2_0.5", "vit_huge", "bert_large", "gpt2"]


@functools.cache
def built(name: str, batch: int = 1, layout: str = "NHWC") -> Network:
    return build_network(name, batch, layout)


def cores_of(module: tvm.IRModule) -> Counter[Core]:
    """As Relay has the same: a dense layer's rows as one axis, and what it multiplies with transposed."""
    counted: Counter[Core] = Counter()
    for block in module["main"].body.blocks:
        for binding in block.bindings:
            call = binding.value
            if not isinstance(call, relax.Call) or call.op.name not in ("relax.nn.conv2d", "relax.matmul"):
                continue
            data, weight, made = shape_of(call.args[0]), shape_of(call.args[1]), shape_of(binding.var)
            if call.op.name == "relax.nn.conv2d":
                depthwise = int(call.attrs.groups) > 1
                counted["nn.conv2d", data, (*weight[:2], *sorted(weight[2:])[::-1]) if depthwise else weight, made] += 1
            elif len(weight) == 2:
                rows = math.prod(data[:-1])
                counted["nn.dense", (rows, data[-1]), weight[::-1], (rows, made[-1])] += 1
            else:
                counted["nn.batch_matmul", data, (weight[0], weight[2], weight[1]), made] += 1
    return counted


@pytest.mark.parametrize("target", ["llvm", "cuda"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_convolutions_dense_layers_and_batch_matmuls_are_the_published_ones(name: str, target: str) -> None:
    assert cores_of(built(name).module) == cores_of_dags(published_dags(name, target))


def test_roberta_large_is_bert_large_without_pooler_and_classifier() -> None:
    bert, roberta = (cores_of(built(name).module) for name in ("bert_large", "roberta_large"))
    assert bert - roberta == {
        ("nn.dense", (1, 1024), (1024, 1024), (1, 1024)): 1,
        ("nn.dense", (1, 1024), (2, 1024), (1, 2)): 1,
    }
    assert not roberta - bert


def test_resnet152_v2_has_its_151_convolutions_and_4_shortcuts() -> None:
    cores = cores_of(built("resnet152_v2").module)
    assert sum(count for core, count in cores.items() if core[0] == "nn.conv2d") == 50 * 3 + 1 + 4


@pytest.mark.parametrize("name", ["mobilenetv2_0.5", "vit_huge", "bert_large"])
def test_batch_and_layout_change_shapes_only(name: str) -> None:
    one, two = (cores_of(built(name, batch, "NCHW").module) for batch in (1, 2))
    assert sum(one.values()) == sum(two.values()) == sum(cores_of(built(name).module).values())
    assert set(one) != set(two)


@pytest.mark.parametrize("name", [name for name in PAPER if name != "resnet152_v2"])
def test_every_convolution_dense_layer_and_batch_matmul_is_of_a_task(name: str, target: MetaTarget) -> None:
    """And each task has the name of what it does; transposes of weights are none."""
    network = built(name)
    tasks, weights = extract_tasks(network, target.tvm)
    expected = Counter({"conv2d": 0, "dense": 0, "batch_matmul": 0})
    for (operation, *_shapes), count in cores_of(network.module).items():
        expected[operation.replace("nn.", "")] += count
    counted = dict.fromkeys(expected, 0)
    for task, weight in zip(tasks, weights):
        operation = str(describe(task).core_operation).replace("nn.", "").replace("depthwise_", "")
        if operation in counted:
            counted[operation] += weight
    assert counted == expected


def test_the_tasks_of_mobilenetv2(target: MetaTarget) -> None:
    found = extract("mobilenetv2_0.5", 1, "NHWC", target, None)
    described = [describe(task) for task in found.tasks]
    assert (len(described), sum(found.weights)) == (34, 56)
    assert described[0].words == "conv2d 3x3 224x224x3 -> 16"
    assert Counter(each.core_operation for each in described) == {
        "nn.conv2d": 22,
        "nn.depthwise_conv2d": 10,
        "nn.global_avg_pool2d": 1,
        "nn.softmax": 1,
    }
    # Convolutions of one structure have the same after them, and the same kind of stride and of padding.
    assert len({each.structure for each in described}) == 9
    assert len({each.workload_key for each in described}) == 34


@pytest.mark.parametrize("batch", [1, 2])
def test_mlp_and_others_can_be_made_of_any_batch(batch: int, target: MetaTarget) -> None:
    assert [describe(task).words for task in extract("mlp", batch, "NHWC", target, None).tasks] == [
        f"dense {batch}x784 -> 128",
        f"dense {batch}x128 -> 64",
        f"dense {batch}x64 -> 10",
        f"softmax {batch}x10",
    ]
    assert build_network("resnet-18", batch, "NCHW").described_inputs()[0]["shape"] == [batch, 3, 224, 224]


def test_a_name_that_is_none_is_refused_with_the_near_ones() -> None:
    with pytest.raises(RequestError, match=r"Unknown model: mobilenetv2\. Did you mean .*mobilenetv2_0\.5"):
        build_network("mobilenetv2")
    with pytest.raises(RequestError, match="built with inputs of its own"):
        build_network("mlp", inputs=[{"name": "data", "shape": [1], "dtype": None}])
