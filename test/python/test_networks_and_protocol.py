"""Networks by name, and messages validated where they arrive."""

import msgpack
import pytest
from familyseer.ansor.networks import build_network
from familyseer.ansor.target import parse_target
from familyseer.ansor.tasks import extract
from familyseer.errors import RequestError
from familyseer.wire.protocol import ProtocolError, decode


def test_an_unknown_model_shows_the_near_names() -> None:
    with pytest.raises(RequestError, match=r"Did you mean mobilenet"):
        build_network("mobilenet_0.5")


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("name", ["mobilenet0.5", "mobilenetv2_0.5"])
def test_the_papers_mobilenets_build_in_both_layouts(name: str, layout: str) -> None:
    network = build_network(name, batch=2, layout=layout)
    assert network.inputs["data"].shape[0] == 2
    assert [int(extent) for extent in network.module["main"].ret_type.shape] == [2, 1000]
    again = build_network(name, batch=2, layout=layout)
    assert (network.weights["conv1_weight"].numpy() == again.weights["conv1_weight"].numpy()).all()


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(RequestError, match="Unknown target: lvm"):
        parse_target("lvm")


def test_tasks_are_cached_and_a_damaged_cache_is_made_again(tmp_path) -> None:  # noqa: ANN001
    target = parse_target("llvm")
    fresh = extract("mlp", 1, "NHWC", target, tmp_path)
    cached = extract("mlp", 1, "NHWC", target, tmp_path)
    assert (fresh.from_cache, cached.from_cache) == (False, True)
    assert [t.workload_key for t in fresh.tasks] == [t.workload_key for t in cached.tasks]
    next(tmp_path.iterdir()).write_bytes(b"torn")
    assert not extract("mlp", 1, "NHWC", target, tmp_path).from_cache


@pytest.mark.parametrize(
    "message",
    [
        {"type": "gossip"},
        {"type": "request", "id": 1, "operation": "dance", "params": {}},
        {"type": "request", "id": 1, "operation": "learn", "params": {"task": -1}},
        {"type": "request", "id": 1, "operation": "propose", "params": {"task": 1}},
    ],
)
def test_messages_outside_the_protocol_are_refused(message: dict) -> None:
    with pytest.raises(ProtocolError):
        decode(msgpack.packb(message))
    assert decode(msgpack.packb({"type": "cancel", "id": 3})) == {"type": "cancel", "id": 3}
