"""Networks from files, and files that hold none."""

import importlib.util
import json
from pathlib import Path

import pytest
import tvm
from familyseer import descriptions
from familyseer.ansor.networks import AskedInput, build_network
from familyseer.ansor.target import parse_target
from familyseer.ansor.tasks import extract
from familyseer.backends import default_backend
from familyseer.errors import RequestError
from familyseer.operations import network
from familyseer.operations.job import Job
from tvm import relay, te


def _small(weight: relay.Expr) -> relay.Function:
    x = relay.var("x", shape=(1, 8, 8, 8))
    y = relay.nn.conv2d(x, weight, channels=4, kernel_size=(3, 3), padding=(1, 1))
    return relay.Function(relay.analysis.free_vars(y), y)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A network of one convolution in NCHW, its weights beside it."""
    path = tmp_path / "small.json"
    function = _small(relay.var("w", shape=(4, 8, 3, 3)))
    path.write_text(tvm.ir.save_json(tvm.IRModule.from_expr(function)))
    path.with_suffix(".params").write_bytes(relay.save_param_dict({"w": tvm.nd.empty((4, 8, 3, 3))}))
    return path


def test_relay_json_is_a_network_in_the_layout_asked_for(saved: Path) -> None:
    network = build_network(str(saved))
    assert list(network.inputs) == ["x"]
    assert list(network.weights) == ["w"]
    assert 'data_layout="NHWC"' in str(network.module)
    assert 'data_layout="NHWC"' not in str(build_network(str(saved), layout="NCHW").module)


def test_weights_may_be_constants_of_the_module(tmp_path: Path) -> None:
    path = tmp_path / "constant.json"
    path.write_text(tvm.ir.save_json(_small(relay.const(tvm.nd.empty((4, 8, 3, 3))))))
    network = build_network(str(path))
    assert (list(network.inputs), network.weights) == (["x"], {})


def test_a_changed_file_is_extracted_again(saved: Path, tmp_path: Path) -> None:
    target, cache = parse_target("llvm"), tmp_path / "cache"
    first = extract(str(saved), 1, "NHWC", target, cache)
    assert len(first.tasks) == 1
    assert extract(str(saved), 1, "NHWC", target, cache).from_cache
    saved.write_text(tvm.ir.save_json(_small(relay.var("w", shape=(4, 8, 3, 3)) * relay.const(2.0))))
    assert not extract(str(saved), 1, "NHWC", target, cache).from_cache


def test_a_description_is_recalled_for_the_same_file_and_question(saved: Path, tmp_path: Path) -> None:
    asked = (str(saved), 1, "NHWC", [], "native")
    described = network.extract(Job(default_backend()), *asked, cache=str(tmp_path))
    assert descriptions.recall(tmp_path, *asked) == {**described, "from_cache": True}
    assert descriptions.recall(tmp_path, str(saved), 1, "NCHW", [], "native") is None
    given = [{"name": "x", "shape": [1, 8, 8, 8], "dtype": None}]
    assert descriptions.recall(tmp_path, str(saved), 1, "NHWC", given, "native") is None
    saved.write_text(saved.read_text() + " ")
    assert descriptions.recall(tmp_path, *asked) is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.json", None, "There is no network"),
        ("torn.json", "{", "is no JSON text"),
        ("bytes.json", b"\xff\xfe", "is no JSON text"),
        ("relax.json", '{"root_index": 0, "nodes": []}', "is a Relax module, .*--tuner metaschedule"),
        ("a.pt2", "", r"by torch\.export, .*--tuner metaschedule"),
        ("other.json", "[1, 2]", "is no Relay module: it has no nodes"),
        ("empty.json", '{"root": 1, "nodes": []}', "is no network that TVM can take"),
        ("node.json", tvm.ir.save_json(relay.const(1.0)), "holds no Relay module with a function main, but Constant"),
        (
            "operator.json",
            tvm.ir.save_json(tvm.IRModule.from_expr(_small(relay.var("w")))).replace("nn.conv2d", "nn.conv2e"),
            "is no network that TVM can take: .*conv2e",
        ),
        (
            "program.json",
            tvm.ir.save_json(tvm.IRModule({"main": te.create_prim_func([te.placeholder((4,), name="a")])})),
            r"holds no Relay module with a function main, but a main function of tvm\.tir",
        ),
        (
            "free.json",
            tvm.ir.save_json(relay.Function([relay.var("x", shape=(1, 8))], relay.var("w", shape=(1, 8)))),
            r"contains free variables: \[Var\(w",
        ),
        (
            "untyped.json",
            tvm.ir.save_json(relay.Function([x := relay.var("x")], relay.nn.relu(x))),
            r"unable to infer a type .* It has inputs without a type: x\. Expected relay\.var\(NAME, shape=SHAPE",
        ),
        (
            "namesakes.json",
            tvm.ir.save_json(relay.Function([x := relay.var("x", shape=(4,)), y := relay.var("x", shape=(1,))], x + y)),
            r"has several inputs of the name x\. Expected a name for each",
        ),
        (
            "nothing.json",
            tvm.ir.save_json(relay.Function([x := relay.var("x", shape=(0, 8))], relay.nn.relu(x))),
            r"its input x is 0 x 8\. Expected extents of at least 1",
        ),
        (
            "unlike.json",
            tvm.ir.save_json(relay.Function([], relay.const([1.0, 2.0]) + relay.const([1.0, 2.0, 3.0]))),
            r"Incompatible broadcast type",
        ),
        ("model.h5", "", r"Expected a file that ends with \.json, \.onnx, \.pt, \.pth"),
    ],
)
def test_a_file_that_holds_no_network_is_refused(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RequestError, match=message) as refused:
        build_network(str(path))
    assert "\n" not in str(refused.value)


def test_damaged_weights_are_refused(saved: Path) -> None:
    saved.with_suffix(".params").write_bytes(b"torn")
    with pytest.raises(RequestError, match=r"small\.params is no network that TVM can take"):
        build_network(str(saved))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"weight": (4, 8, 3, 3)}, r"small\.params has no weight of .*small\.json\. It has weight; .* takes x, w"),
        ({"w": (4, 8, 5, 5)}, r"small\.params: its weight w is 4x8x5x5 float32, and .*small\.json has it as .*3, 3"),
        ({"w": (4, 8)}, r"small\.params: its weight w is 4x8 float32"),
    ],
)
def test_weights_of_another_network_are_refused(saved: Path, weights: dict[str, tuple[int, ...]], message: str) -> None:
    arrays = {name: tvm.nd.empty(shape) for name, shape in weights.items()}
    saved.with_suffix(".params").write_bytes(relay.save_param_dict(arrays))
    with pytest.raises(RequestError, match=message):
        build_network(str(saved))


def test_a_relay_module_has_its_own_batch(saved: Path) -> None:
    with pytest.raises(RequestError, match=r"batch is 2, but .*small\.json leaves no first extent open \(x 1x8x8x8\)"):
        build_network(str(saved), batch=2)


@pytest.mark.parametrize(("name", "package"), [("net.onnx", "onnx"), ("net.pt", "torch")])
def test_a_missing_package_is_named(tmp_path: Path, name: str, package: str) -> None:
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed")
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(RequestError, match=f'needs the Python package {package}.*pip install "{package}'):
        build_network(str(tmp_path / name))


def test_a_network_that_tvm_cannot_compile_is_refused(tmp_path: Path) -> None:
    """TVM knows the operator, but can compute it without dilation only."""
    x = relay.var("x", shape=(1, 4, 8, 8))
    weight = relay.const(tvm.nd.empty((4, 4, 3, 3)))
    path = tmp_path / "dilated.json"
    y = relay.nn.conv2d_transpose(x, weight, channels=4, kernel_size=(3, 3), dilation=(2, 2))
    path.write_text(tvm.ir.save_json(relay.Function([x], y)))
    with pytest.raises(RequestError, match=r"TVM cannot compile .*dilated\.json for the target llvm"):
        extract(str(path), 1, "NHWC", parse_target("llvm"), None)


def _onnx_file(path: Path, operator: str) -> None:
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node(operator, ["y"], ["z"]),
    ]
    inputs, outputs = (
        [helper.make_tensor_value_info(name, kind, ["N", channels, 8, 8])] for name, channels in (("x", 8), ("z", 4))
    )
    weight = helper.make_tensor("w", kind, (4, 8, 3, 3), [0.1] * 288)
    graph = helper.make_graph(nodes, "small", inputs, outputs, [weight])
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString())


def test_onnx_is_a_network_whose_open_first_extent_is_the_batch(tmp_path: Path) -> None:
    _onnx_file(tmp_path / "small.onnx", "Relu")
    network = build_network(str(tmp_path / "small.onnx"), batch=2)
    assert {name: example.shape for name, example in network.inputs.items()} == {"x": (2, 8, 8, 8)}
    assert 'data_layout="NHWC"' in str(network.module)
    assert len(extract(str(tmp_path / "small.onnx"), 1, "NHWC", parse_target("llvm"), None).tasks) == 1


def test_onnx_operators_that_tvm_does_not_have_are_named(tmp_path: Path) -> None:
    _onnx_file(tmp_path / "odd.onnx", "Gossip")
    with pytest.raises(RequestError, match=r"odd\.onnx is no network that TVM can take: .*Gossip"):
        build_network(str(tmp_path / "odd.onnx"))


def test_bytes_that_are_no_onnx_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    (tmp_path / "torn.onnx").write_bytes(b"torn")
    with pytest.raises(RequestError, match=r"torn\.onnx is no (network that TVM can take|ONNX network)"):
        build_network(str(tmp_path / "torn.onnx"))


def test_json_that_is_a_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    path.write_text("\n".join(json.dumps({"i": [], "r": []}) for _ in range(2)))
    with pytest.raises(RequestError, match="is no JSON text"):
        build_network(str(path))


def _torchscript(path: Path, name: str) -> Path:
    """A small network, saved; some are of a kind that TVM does not take."""
    torch = pytest.importorskip("torch", reason="the Python with TVM has no torch")
    nn = torch.nn

    class OfPatches(nn.Module):
        """An encoder layer on an image's 7 x 7 patches."""

        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 64, 32, stride=32)
            self.encoder = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.encoder(self.patches(image).flatten(2).transpose(1, 2))

    class Odd(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.linalg.svdvals(image)

    networks = {
        "convolutions": lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=4),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 4),
        ),
        "encoder": OfPatches,
        "odd": Odd,
    }
    # Its own kernel for a whole layer, which is no operator of TVM's.
    torch.backends.mha.set_fastpath_enabled(False)
    with torch.no_grad():
        network = networks[name]().eval()
        torch.jit.trace(network, torch.zeros(1, 3, 224, 224)).save(str(path / f"{name}.pt"))
    return path / f"{name}.pt"


IMAGE = (AskedInput("input", (1, 3, 224, 224)), AskedInput("image", (1, 3, 224, 224)))


@pytest.mark.parametrize(("name", "image", "count"), [("convolutions", IMAGE[0], 3), ("encoder", IMAGE[1], 10)])
def test_torchscript_is_a_network(tmp_path: Path, name: str, image: AskedInput, count: int) -> None:
    path = str(_torchscript(tmp_path, name))
    network = build_network(path, inputs=[image])
    assert {name: example.shape for name, example in network.inputs.items()} == {image.name: image.shape}
    assert 'data_layout="NHWC"' in str(network.module)
    assert len(extract(path, 1, "NHWC", parse_target("llvm"), None, [image]).tasks) == count


def test_torchscript_operators_that_tvm_does_not_have_are_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"odd\.pt is no network that TVM can take: .*linalg_svdvals"):
        build_network(str(_torchscript(tmp_path, "odd")), inputs=[IMAGE[1]])


def test_weights_alone_are_no_torchscript(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the Python with TVM has no torch")
    torch.save(torch.nn.Linear(8, 4).state_dict(), tmp_path / "weights.pt")
    (tmp_path / "torn.pt").write_bytes(b"torn")
    for name in ("weights.pt", "torn.pt"):
        with pytest.raises(
            RequestError, match=r"is no network that TVM can take: .* Expected what torch\.jit\.save writes"
        ):
            build_network(str(tmp_path / name))
