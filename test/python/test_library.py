"""A compiled network as a library: what plain TVM loads of it, and what cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tvm
from familyseer.ansor.latency import CompiledNetwork, compile_network
from familyseer.ansor.networks import Network
from familyseer.errors import RequestError
from familyseer.library import check_library, export_library
from tvm import relay
from tvm.runtime.vm import VirtualMachine

PLAIN = """
import sys
import numpy, tvm
from tvm.contrib import graph_executor

network = graph_executor.GraphModule(tvm.runtime.load_module(sys.argv[1])["default"](tvm.cpu()))
network.set_input("data", numpy.ones((2, 3), "float32"))
network.run()
numpy.save(sys.argv[2], network.get_output(0).numpy())
assert not [name for name in sys.modules if "familyseer" in name]
"""


def compiled(target: str = "llvm") -> CompiledNetwork:
    data, weight = relay.var("data", shape=(2, 3)), relay.var("weight", shape=(4, 3))
    module = tvm.IRModule.from_expr(relay.nn.dense(data, weight))
    weights = {"weight": tvm.nd.array(np.arange(12, dtype="float32").reshape(4, 3))}
    return compile_network(
        Network(module, weights, {"data": np.ones((2, 3), "float32")}), tvm.target.Target(target), None
    )


@pytest.mark.skipif(
    tvm.get_global_func("target.build.metal", allow_missing=True) is not None, reason="this TVM was built with Metal"
)
def test_a_kind_of_target_that_tvm_was_built_without_is_named() -> None:
    with pytest.raises(RequestError, match=r"This TVM was built without metal, .* by --tvm-python"):
        compiled("metal")


def test_what_tvm_cannot_compile_is_refused_in_one_line() -> None:
    data = relay.var("data", shape=(1, 4, 8, 8))
    layer = relay.nn.conv2d_transpose(
        data, relay.ones((4, 4, 3, 3), "float32"), channels=4, kernel_size=(3, 3), dilation=(2, 2)
    )
    module = tvm.IRModule.from_expr(layer)
    network = Network(module, {}, {"data": np.ones((1, 4, 8, 8), "float32")})
    with pytest.raises(RequestError, match="TVM cannot compile the network for the target llvm") as refused:
        compile_network(network, tvm.target.Target("llvm"), None)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("ending", [".so", ".tar"])
def test_plain_tvm_loads_a_library_and_its_weights(tmp_path: Path, ending: str) -> None:
    library, output = tmp_path / f"net{ending}", tmp_path / "output.npy"
    export_library(compiled().library, str(library), "llvm")
    assert [path.name for path in tmp_path.iterdir()] == [library.name]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", PLAIN, library, output], env=environment, cwd=tmp_path, check=True)
    np.testing.assert_array_equal(np.load(output), [[3, 12, 21, 30]] * 2)


def test_plain_tvm_loads_a_network_of_the_virtual_machine(tmp_path: Path) -> None:
    library, x = tmp_path / "net.so", np.ones((1, 64), "float32")
    data = relay.var("data", shape=x.shape)
    branch = relay.If(relay.less(relay.sum(data), relay.const(0.0)), relay.nn.relu(data), relay.tanh(data))
    module = relay.transform.InferType()(tvm.IRModule.from_expr(relay.Function([data], branch)))
    network = compile_network(Network(module, {}, {"data": x}), tvm.target.Target("llvm"), None)
    assert network.executor == "vm"
    export_library(network.library, str(library), "llvm")
    loaded = tvm.runtime.load_module(str(library))
    np.testing.assert_allclose(VirtualMachine(loaded, tvm.cpu()).run(x).numpy(), np.tanh(x), rtol=1e-5)


def test_a_library_that_cannot_be_linked_leaves_the_earlier_one_alone(tmp_path: Path) -> None:
    library = tmp_path / "net.so"
    library.write_text("of an earlier job")
    target = "llvm -mtriple=aarch64-linux-gnu"
    foreign = compiled(target).library
    with pytest.raises(RequestError, match=r"net\.so cannot be linked for the target .*aarch64.*CXX.*\.tar"):
        export_library(foreign, str(library), target)
    assert library.read_text() == "of an earlier job"
    assert [path.name for path in tmp_path.iterdir()] == ["net.so"]
    export_library(foreign, str(tmp_path / "net.tar"), target)


def test_says_what_no_library_can_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "folder.so").mkdir()
    cases = {
        "net.dll": r"Expected a file that ends with \.so or \.tar",
        "net": r"Expected a file that ends with \.so or \.tar",
        "folder.so": "it is a folder",
        "nowhere/net.so": "there is no folder .*nowhere",
        "/proc/net.so": "/proc/net.so cannot be written: ",
    }
    for file, message in cases.items():
        with pytest.raises(RequestError, match=message):
            check_library(str(tmp_path / file))
    assert [path.name for path in tmp_path.iterdir()] == ["folder.so"]
