"""Networks in Relax from files, and files that hold none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tvm
from familyseer.errors import RequestError
from familyseer.metaschedule.latency import compile_network
from familyseer.metaschedule.networks import build_network, check_network
from familyseer.metaschedule.target import MetaTarget
from familyseer.metaschedule.tasks import describe, extract
from tvm import relax, tirx

CASES = Path(__file__).parent.parent.parent / "cases"


def dense(rows: int | tirx.Var, weight: relax.Expr | None = None, inputs: int | None = None) -> tvm.IRModule:
    """x, rows x 8, by the weight's transpose, 4 x 8, which is a parameter unless given; `inputs`: num_input."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((rows, 8), "float32"))
    w = relax.Var("w", relax.TensorType((4, 8), "float32")) if weight is None else weight
    with builder.function("main", [x, w] if weight is None else [x]):
        with builder.dataflow():
            product = builder.emit(relax.op.matmul(x, builder.emit(relax.op.permute_dims(w))))
            output = builder.emit_output(relax.op.nn.relu(product))
        builder.emit_func_output(output)
    module = builder.get()
    if inputs is not None:
        module["main"] = module["main"].with_attr("num_input", inputs)
    return module


def saved(path: Path, module: tvm.IRModule) -> str:
    path.write_text(tvm.ir.save_json(module))
    return str(path)


def words(model: str, target: MetaTarget, **asked: list[dict]) -> list[str]:
    return [describe(task).words for task in extract(model, 1, "NHWC", target, None, **asked).tasks]


WEIGHT = np.arange(32, dtype="float32").reshape(4, 8)


def test_a_transposed_constant_is_no_task(tmp_path: Path, target: MetaTarget) -> None:
    assert words(saved(tmp_path / "a.json", dense(2, relax.const(WEIGHT))), target) == ["dense 2x8 -> 4"]


def test_weights_beside_are_bound(tmp_path: Path, target: MetaTarget) -> None:
    model = saved(tmp_path / "a.json", dense(2))
    assert [each["name"] for each in build_network(model).described_inputs()] == ["x", "w"]
    weights = {"w": tvm.runtime.tensor(WEIGHT)}
    (tmp_path / "a.params").write_bytes(tvm.runtime.save_param_dict(weights))
    assert [each["name"] for each in build_network(model).described_inputs()] == ["x"]
    assert words(model, target) == ["dense 2x8 -> 4"]
    compiled = compile_network(build_network(model), target, None)
    expected = np.maximum(compiled.inputs[0] @ WEIGHT.T, 0)
    np.testing.assert_allclose(compiled.run().numpy(), expected, rtol=1e-5)


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    model = saved(tmp_path / "a.json", dense(2, inputs=1))
    with pytest.raises(RequestError, match=r"takes weights that are not there: w\. Expected them in .*a\.params"):
        build_network(model)
    (tmp_path / "a.params").write_bytes(tvm.runtime.save_param_dict({"v": tvm.runtime.tensor(WEIGHT)}))
    with pytest.raises(RequestError, match=r"a\.params has no weight of .*: v are none of x, w"):
        build_network(model)


def test_an_open_first_extent_is_the_batch(tmp_path: Path, target: MetaTarget) -> None:
    model = saved(tmp_path / "a.json", dense(tirx.Var("n", "int64"), relax.const(WEIGHT)))
    found = extract(model, 3, "NHWC", target, None)
    assert found.inputs == [{"name": "x", "shape": [3, 8], "dtype": "float32"}]
    assert describe(found.tasks[0]).words == "dense 3x8 -> 4"
    asked = [{"name": "x", "shape": [5, 8], "dtype": None}]
    assert words(model, target, inputs=asked) == ["dense 5x8 -> 4"]


def test_a_shape_that_no_input_settles_is_refused(tmp_path: Path, target: MetaTarget) -> None:
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((4,), "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            found = builder.emit(relax.op.nonzero(x))
            found = builder.match_cast(found, relax.TensorType((1, tirx.Var("n", "int64")), "int64"))
            output = builder.emit_output(relax.op.add(found, relax.const(1, "int64")))
        builder.emit_func_output(output)
    with pytest.raises(RequestError, match="shapes stay open when its inputs' are known: add"):
        extract(saved(tmp_path / "a.json", builder.get()), 1, "NHWC", target, None)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "no JSON text"),
        ("a.json", '{"root": 1, "nodes": [], "attrs": {"tvm_version": "0.18.0"}}', "Relay module.*--tuner ansor"),
        ("a.json", '{"root_index": 7, "nodes": []}', "no network that TVM can take: .*Expected a Relax module"),
        ("a.json", '{"root_index": 0, "nodes": [{"type": "int", "data": 3}]}', "holds no Relax module.*but int"),
        ("a.pt", "", "TorchScript, which Relax does not read.*torch.export"),
        ("a.pth", "", "TorchScript, which Relax does not read"),
        ("a.onnx", "no model", "no network that TVM can take"),
        ("a.txt", "", r"Expected a file that ends with \.json, \.onnx, \.pt2"),
    ],
)
def test_what_is_no_network_is_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(RequestError, match=message):
        build_network(str(path))


def test_a_file_that_is_not_there_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="There is no network"):
        check_network(str(tmp_path / "a.onnx"), 1, "NHWC")


def test_onnx_is_read_with_the_inputs_asked_for(target: MetaTarget) -> None:
    model = str(CASES / "cnn_dyn_bhw.onnx")
    with pytest.raises(RequestError, match=r"leaves open: .* Say what to compile for by --input"):
        extract(model, 1, "NHWC", target, None)
    asked = [{"name": "input", "shape": [2, 3, 32, 40], "dtype": None}]
    found = extract(model, 2, "NHWC", target, None, asked)
    assert [each["shape"] for each in found.inputs] == [[2, 3, 32, 40]]
    assert any(describe(task).words.startswith("conv2d 3x3 32x40x3 -> ") for task in found.tasks)


def test_exported_programs_are_read(tmp_path: Path, target: MetaTarget) -> None:
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU()).eval()
    rows = {"input": {0: torch.export.Dim("rows")}}
    path = str(tmp_path / "a.pt2")
    torch.export.save(torch.export.export(network, (torch.ones(2, 8),), dynamic_shapes=rows), path)
    found = extract(path, 3, "NHWC", target, None)
    assert [each["shape"] for each in found.inputs] == [[3, 8]]
    # No transpose of the weight.
    assert [describe(task).words for task in found.tasks] == ["dense 3x8 -> 4"]
    with pytest.raises(RequestError, match="no network that TVM can take"):
        (tmp_path / "b.pt2").write_text("no network")
        build_network(str(tmp_path / "b.pt2"))


def test_exported_programs_need_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    (tmp_path / "a.pt2").write_text("")
    with pytest.raises(RequestError, match=r"needs the Python package torch.*pip install .*or save .* as Relax JSON"):
        build_network(str(tmp_path / "a.pt2"))
