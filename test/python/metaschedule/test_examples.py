"""The examples for MetaSchedule, as a user starts them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm import relax, s_tir
from tvm.s_tir import meta_schedule as ms

EXAMPLES = Path(__file__).parents[3] / "examples"
TARGET = '{"kind": "llvm", "num-cores": 1}'


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense layer as PyTorch writes it, its weights transposed, and what follows it."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).uniform(size=(16, 8)).astype("float32")
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["data", "weights"], ["dense"], transB=1),
            helper.make_node("Softmax", ["dense"], ["output"]),
        ],
        "net",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [4, 8])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [4, 16])],
        [numpy_helper.from_array(weights, "weights")],
    )
    file = tmp_path_factory.mktemp("onnx") / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), file)
    return file


@pytest.fixture(scope="module")
def log(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a record of each task of the network but one."""
    from familyseer.metaschedule.networks import build_network
    from familyseer.metaschedule.target import parse_target
    from familyseer.metaschedule.tasks import extract_tasks

    target = parse_target(TARGET).tvm
    tasks, _ = extract_tasks(build_network(str(model), 1, "NHWC"), target)
    folder = tmp_path_factory.mktemp("log")
    database = ms.database.JSONDatabase(work_dir=str(folder))
    for task in tasks:
        if task.name != "softmax":
            schedule = s_tir.Schedule(task.module)
            (block, *_) = schedule.get_child_blocks(schedule.get_sblock("root"))
            schedule.parallel(schedule.get_loops(block)[0])
            arguments = ms.arg_info.ArgInfo.from_entry_func(task.module, True)
            workload = database.commit_workload(task.module)
            database.commit_tuning_record(ms.database.TuningRecord(schedule.trace, workload, [1e-3], target, arguments))
    return folder


def test_a_network_is_compiled_with_what_tuning_found_and_exported(model: Path, log: Path, tmp_path: Path) -> None:
    library = tmp_path / "net.so"
    command = [sys.executable, EXAMPLES / "use_metaschedule.py", model, "--log", log, "--target", TARGET]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run([*command, "--export", library], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert re.fullmatch(r"\S+net\.onnx: \d+\.\d{4} ms\n", ran.stdout)
    assert re.findall(r"not found for primfunc: (\w+)", ran.stderr) == ["softmax"]
    machine = relax.VirtualMachine(tvm.runtime.load_module(str(library)), tvm.cpu())
    output = machine["main"](tvm.runtime.tensor(np.zeros((4, 8), "float32"))).numpy()
    np.testing.assert_allclose(output, np.full((4, 16), 1 / 16), rtol=1e-5)
