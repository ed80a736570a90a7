"""What files leave open of their inputs, and what users say of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tvm
from familyseer.ansor.networks import AskedInput, asked_inputs, build_network
from familyseer.ansor.target import parse_target
from familyseer.ansor.tasks import extract
from familyseer.errors import RequestError
from tvm import relay

if TYPE_CHECKING:
    import torch

CASES = Path(__file__).parent.parent / "cases"


def _shapes(path: Path, *inputs: AskedInput, batch: int = 1) -> dict[str, tuple[tuple[int, ...], str]]:
    network = build_network(str(path), batch, "NCHW", inputs)
    return {name: (example.shape, str(example.dtype)) for name, example in network.inputs.items()}


def _refused(path: Path, *inputs: AskedInput, batch: int = 1) -> str:
    with pytest.raises(RequestError) as refused:
        build_network(str(path), batch, "NCHW", inputs)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def _relay(path: Path, **inputs: relay.Type) -> Path:
    """A Relay module that adds up what it makes of each input."""
    variables = [relay.var(name, kind) for name, kind in inputs.items()]
    output = relay.Tuple([relay.nn.relu(each) for each in variables])
    path.write_text(tvm.ir.save_json(tvm.IRModule.from_expr(relay.Function(variables, output))))
    return path


def _onnx(path: Path, inputs: dict[str, tuple[str, list[int | str | None] | None]]) -> Path:
    """An ONNX network that hands its inputs out as they came in; None for the extents leaves the rank open."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    values = [
        helper.make_tensor_value_info(name, getattr(onnx.TensorProto, kind), extents)
        for name, (kind, extents) in inputs.items()
    ]
    nodes = [helper.make_node("Identity", [name], [f"{name}.out"]) for name in inputs]
    outputs = [
        helper.make_tensor_value_info(f"{name}.out", getattr(onnx.TensorProto, kind), None)
        for name, (kind, _) in inputs.items()
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "inputs", values, outputs), opset_imports=[helper.make_opsetid("", 17)]
    )
    path.write_bytes(model.SerializeToString())
    return path


def test_an_open_extent_that_is_not_the_first_is_asked_for_by_its_name() -> None:
    path = CASES / "cnn_dyn_bhw.onnx"
    pytest.importorskip("onnx")
    message = _refused(path, batch=2)
    assert "leaves open: height and width of its input input (batch x 3 x height x width, float32)" in message
    assert message.endswith("--input input:2x3x224x224")
    assert _shapes(path, AskedInput("input", (2, 3, 32, 40))) == {"input": ((2, 3, 32, 40), "float32")}
    tasks = extract(str(path), 1, "NHWC", parse_target("llvm"), None, [AskedInput("input", (1, 3, 32, 40))])
    assert len(tasks.tasks) == 4
    assert tasks.inputs == [{"name": "input", "shape": [1, 3, 32, 40], "dtype": "float32"}]


@pytest.mark.parametrize(
    ("asked", "batch", "message"),
    [
        (AskedInput("imput", (1, 3, 32, 32)), 1, r"has no input imput\. Did you mean input\? Its inputs are input\."),
        (AskedInput("input", (1, 3, 32)), 1, "cannot be 1x3x32, as the file has it: .* Expected 4 extents"),
        (AskedInput("input", (1, 4, 32, 32)), 1, "cannot be 1x4x32x32, .* Expected 3 as its extent 2"),
        (AskedInput("input", (1, 3, 32, 32), "float16"), 1, "cannot be of dtype float16, .* Expected float32"),
        (AskedInput("input", (1, 3, 32, 32)), 4, r"batch is 4, but no input has it .*\(input 1x3x32x32\)"),
    ],
)
def test_an_input_that_contradicts_the_file_is_refused(asked: AskedInput, batch: int, message: str) -> None:
    pytest.importorskip("onnx")
    with pytest.raises(RequestError, match=message):
        build_network(str(CASES / "cnn_dyn_bhw.onnx"), batch, "NHWC", [asked])


def test_inputs_of_one_network_share_the_names_of_their_extents(tmp_path: Path) -> None:
    path = _onnx(
        tmp_path / "text.onnx",
        {
            "ids:0": ("INT64", ["batch", "sequence"]),
            "mask": ("BOOL", ["batch", "sequence"]),
            "pixels": ("UINT8", ["batch", 3]),
            "half": ("FLOAT16", [None, 2]),
            "length": ("INT32", []),
        },
    )
    message = _refused(path)
    assert "sequence of its input ids:0 (batch x sequence, int64); sequence of its input mask" in message
    assert message.endswith("--input ids:0:1x128 --input mask:1x128")
    assert _shapes(path, AskedInput("ids:0", (4, 16)), batch=4) == {
        "ids:0": ((4, 16), "int64"),
        "mask": ((4, 16), "bool"),
        "pixels": ((4, 3), "uint8"),
        "half": ((4, 2), "float16"),
        "length": ((), "int32"),
    }
    assert "and sequence is 16 elsewhere" in _refused(path, AskedInput("ids:0", (1, 16)), AskedInput("mask", (1, 17)))
    assert "is given twice" in _refused(path, AskedInput("mask", (1, 17)), AskedInput("mask", (1, 17)))


def test_an_open_rank_is_asked_for(tmp_path: Path) -> None:
    path = _onnx(tmp_path / "rank.onnx", {"x": ("FLOAT", None)})
    assert "the shape of its input x (any shape, float32)" in _refused(path)
    assert _shapes(path, AskedInput("x", (2, 3)), batch=2) == {"x": ((2, 3), "float32")}


def test_sizes_for_which_there_is_no_memory_are_refused(tmp_path: Path) -> None:
    path = _relay(tmp_path / "open.json", x=relay.TensorType((relay.Any(), relay.Any())))
    message = _refused(path, AskedInput("x", (2**30, 2**30)))
    assert f"its input x cannot be {2**30}x{2**30} float32: an example of it takes 12884901888.0 GiB" in message
    assert f"Expected extents of at most {2**31 - 1}" in _refused(path, AskedInput("x", (1, 2**31)))


def test_a_batch_that_the_file_cannot_have_is_refused(tmp_path: Path) -> None:
    path = _onnx(tmp_path / "fixed.onnx", {"x": ("FLOAT", [1, 3])})
    assert "leaves no first extent open (x 1x3)" in _refused(path, batch=2)


def test_inputs_for_which_there_is_no_example_are_named(tmp_path: Path) -> None:
    path = _onnx(tmp_path / "words.onnx", {"words": ("STRING", [1])})
    assert "its input words is tensor of STRING, for which there is no example" in _refused(path)


def test_open_extents_of_a_relay_module_are_the_batch_or_asked_for(tmp_path: Path) -> None:
    first = _relay(tmp_path / "first.json", x=relay.TensorType((relay.Any(), 8)))
    assert _shapes(first, batch=4) == {"x": ((4, 8), "float32")}
    other = _relay(tmp_path / "other.json", x=relay.TensorType((1, relay.Any()), "float16"))
    assert "extent 2 of its input x (1 x ?, float16)" in _refused(other)
    assert _shapes(other, AskedInput("x", (1, 8))) == {"x": ((1, 8), "float16")}


def test_a_tuple_is_refused_by_its_name(tmp_path: Path) -> None:
    pair = relay.var("pair", relay.TupleType([relay.TensorType((1, 64))] * 2))
    summed = relay.nn.dense(relay.TupleGetItem(pair, 0) + relay.TupleGetItem(pair, 1), relay.ones((4, 64), "float32"))
    path = tmp_path / "pair.json"
    path.write_text(tvm.ir.save_json(tvm.IRModule.from_expr(relay.Function([pair], summed))))
    assert "its input pair is a tuple. Expected tensors: make each of its 2 parts an input" in _refused(path)


def test_inputs_that_are_no_tensors_are_named(tmp_path: Path) -> None:
    module = tvm.IRModule()
    listed = tvm.relay.prelude.Prelude(module).mod.get_type("List")[0]
    x = relay.var("x", listed(relay.TensorType((1, 8))))
    y = relay.var("y", relay.TensorType((1, 8)))
    module["main"] = relay.Function([x, y], relay.nn.relu(y))
    (tmp_path / "list.json").write_text(tvm.ir.save_json(module))
    assert "its input x is of the type TypeCall, for which" in _refused(tmp_path / "list.json")


def test_a_network_by_name_has_inputs_of_its_own() -> None:
    with pytest.raises(RequestError, match="mlp is built with inputs of its own, so that data cannot be given"):
        build_network("mlp", inputs=[AskedInput("data", (1, 1, 28, 28))])


def test_a_dtype_there_is_not_is_refused() -> None:
    with pytest.raises(RequestError, match=r"The input x cannot be of dtype float\. Expected one of float16, float32"):
        asked_inputs([{"name": "x", "shape": [1], "dtype": "float"}])


def test_tasks_are_cached_by_the_inputs(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    path, target = str(CASES / "cnn_dyn_bhw.onnx"), parse_target("llvm")
    small, large = ([AskedInput("input", (1, 3, size, size))] for size in (16, 32))
    first = extract(path, 1, "NHWC", target, tmp_path, small)
    again, other = (extract(path, 1, "NHWC", target, tmp_path, inputs) for inputs in (small, large))
    assert (again.from_cache, again.inputs) == (True, first.inputs)
    assert not other.from_cache


class _Scripts:
    """TorchScript files of small networks."""

    def __init__(self, folder: Path) -> None:
        self.torch = pytest.importorskip("torch", reason="the Python with TVM has no torch")
        self.folder = folder

    def save(self, network: torch.nn.Module, *example: Any, scripted: bool = False) -> Path:
        torch, path = self.torch, self.folder / "net.pt"
        with torch.no_grad():
            made = torch.jit.script(network.eval()) if scripted else torch.jit.trace(network.eval(), example)
        made.save(str(path))
        return path


@pytest.fixture
def scripts(tmp_path: Path) -> _Scripts:
    return _Scripts(tmp_path)


def test_torchscript_says_channels_and_dtype_and_asks_for_the_rest(scripts: _Scripts) -> None:
    torch, nn = scripts.torch, scripts.torch.nn
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 26 * 26, 10))
    path = scripts.save(network, torch.zeros(1, 1, 28, 28))
    message = _refused(path)
    assert "extent 3 and extent 4 of its input input (? x 1 x ? x ?, float32)" in message
    assert message.endswith("--input input:1x1x224x224")
    assert "Expected 1 as its extent 2" in _refused(path, AskedInput("input", (1, 3, 28, 28)))
    assert "cannot be of dtype int64" in _refused(path, AskedInput("input", (1, 1, 28, 28), "int64"))
    assert "mat1 and mat2 shapes cannot be multiplied" in _refused(path, AskedInput("input", (1, 1, 32, 32)))
    assert _shapes(path, AskedInput("input", (2, 1, 28, 28)), batch=2) == {"input": ((2, 1, 28, 28), "float32")}
    assert "batch is 4" in _refused(path, AskedInput("input", (2, 1, 28, 28)), batch=4)


def test_torchscript_of_sequences_takes_whole_numbers(scripts: _Scripts) -> None:
    torch, nn = scripts.torch, scripts.torch.nn
    path = scripts.save(nn.Sequential(nn.Embedding(100, 8), nn.Linear(8, 4)), torch.zeros(1, 16, dtype=torch.int64))
    message = _refused(path)
    assert "the shape of its input input (any shape, int64 or int32)" in message
    assert message.endswith("--input input:1x128")
    assert _shapes(path, AskedInput("input", (2, 16))) == {"input": ((2, 16), "int64")}
    assert "Expected int64 or int32" in _refused(path, AskedInput("input", (2, 16), "float32"))


def test_torchscript_of_half_floats(scripts: _Scripts) -> None:
    torch, nn = scripts.torch, scripts.torch.nn
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).half()
    path = scripts.save(network, torch.zeros(1, 3, 8, 8, dtype=torch.float16))
    assert _shapes(path, AskedInput("input", (1, 3, 8, 8))) == {"input": ((1, 3, 8, 8), "float16")}


def _of_two(torch: Any) -> torch.nn.Module:
    class Two(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.c = torch.nn.Conv2d(3, 4, 3)
            self.m = torch.nn.Linear(5, 4)

        def forward(self, x: torch.Tensor, meta: torch.Tensor) -> torch.Tensor:
            return self.c(x).mean((2, 3)) + self.m(meta)

    return Two()


def test_torchscript_has_its_own_names_of_several_inputs(scripts: _Scripts) -> None:
    torch = scripts.torch
    path = scripts.save(_of_two(torch), torch.zeros(1, 3, 8, 8), torch.zeros(1, 5))
    image = AskedInput("x", (1, 3, 8, 8))
    message = _refused(path, image)
    assert "the shape of its input meta (... x 5, float32)" in message
    assert message.endswith("--input meta:1x5")
    assert "Expected 5 as its extent 2" in _refused(path, image, AskedInput("meta", (1, 6)))
    assert "Its inputs are x, meta." in _refused(path, image, AskedInput("numbers", (1, 6)))
    assert list(_shapes(path, AskedInput("meta", (1, 5)), image)) == ["x", "meta"]


def test_scripted_modules_say_their_inputs_and_which_operators_tvm_lacks(scripts: _Scripts) -> None:
    path = scripts.save(_of_two(scripts.torch), scripted=True)
    assert _refused(path).endswith("--input x:1x3x224x224 --input meta:1x5")
    message = _refused(path, AskedInput("x", (1, 3, 8, 8)), AskedInput("meta", (1, 5)))
    assert "aten::conv2d" in message
    assert message.endswith("of torch.jit.script's TVM lacks some operators.")


def test_each_part_of_a_torchscript_tuple_is_an_input(scripts: _Scripts) -> None:
    torch = scripts.torch

    class Pair(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = torch.nn.Linear(8, 4), torch.nn.Linear(6, 4)

        def forward(self, pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            return self.a(pair[0]) + self.b(pair[1])

    path = scripts.save(Pair(), (torch.zeros(1, 8), torch.zeros(1, 6)))
    assert _refused(path).endswith("--input pair.0:1x8 --input pair.1:1x6")
    shapes = _shapes(path, AskedInput("pair.0", (1, 8)), AskedInput("pair.1", (1, 6)))
    assert shapes == {"pair.0": ((1, 8), "float32"), "pair.1": ((1, 6), "float32")}


def test_torchscript_inputs_that_are_no_tensors_are_named(scripts: _Scripts) -> None:
    torch = scripts.torch

    class Listed(torch.nn.Module):
        def forward(self, x: torch.Tensor, times: int, others: list[torch.Tensor]) -> torch.Tensor:
            return x * times + others[0]

    path = scripts.save(Listed(), scripted=True)
    assert "its input times is of the type int, which TVM cannot take" in _refused(path)
