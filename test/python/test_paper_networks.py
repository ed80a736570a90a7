"""The paper's networks, held against the tasks that its authors published; whole tasks are compared by
bench/paper_networks.py, as finding them takes minutes."""

import pytest
from familyseer.ansor.networks import build_network
from familyseer.experiments.published import cores_of_dags, cores_of_module, published_dags

PUBLISHED = ["resnet50_v1", "mobilenet0.5", "mobilenetv2_0.5", "vit_huge", "bert_large", "gpt2"]


@pytest.mark.parametrize("target", ["llvm", "cuda"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_convolutions_dense_layers_and_batch_matmuls_are_the_published_ones(name: str, target: str) -> None:
    assert cores_of_module(build_network(name).module) == cores_of_dags(published_dags(name, target))


def test_roberta_large_is_bert_large_without_pooler_and_classifier() -> None:
    bert, roberta = (cores_of_module(build_network(name).module) for name in ("bert_large", "roberta_large"))
    assert bert - roberta == {
        ("nn.dense", (1, 1024), (1024, 1024), (1, 1024)): 1,
        ("nn.dense", (1, 1024), (2, 1024), (1, 2)): 1,
    }
    assert not roberta - bert


def test_resnet152_v2_has_its_151_convolutions_and_4_shortcuts() -> None:
    """50 blocks of three, the first one, and a shortcut where the number of channels changes; strides are at 3 x 3."""
    cores = cores_of_module(build_network("resnet152_v2").module)
    convolutions = {core: count for core, count in cores.items() if core[0] == "nn.conv2d"}
    assert sum(convolutions.values()) == 50 * 3 + 1 + 4
    assert cores["nn.conv2d", (1, 56, 56, 128), (3, 3, 128, 128), (1, 28, 28, 128)] == 1
    assert cores["nn.conv2d", (1, 14, 14, 256), (3, 3, 256, 256), (1, 14, 14, 256)] == 35
    assert cores["nn.dense", (1, 2048), (1000, 2048), (1, 1000)] == 1


@pytest.mark.parametrize("name", ["bert_large", "roberta_large", "gpt2", "vit_huge", "resnet152_v2"])
def test_batch_and_layout_change_shapes_only(name: str) -> None:
    one, two = (cores_of_module(build_network(name, batch, "NCHW").module) for batch in (1, 2))
    assert sum(one.values()) == sum(two.values()) == sum(cores_of_module(build_network(name).module).values())
    assert set(one) != set(two)
