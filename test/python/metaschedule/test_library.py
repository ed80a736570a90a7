"""A network compiled for Relax's VM as a library: what plain TVM loads of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tvm
from familyseer.errors import RequestError
from familyseer.metaschedule.latency import CompiledNetwork, compile_network
from familyseer.metaschedule.networks import Network
from familyseer.metaschedule.target import MetaTarget
from tvm import relax

PLAIN = """
import sys
import numpy, tvm
from tvm import relax

network = relax.VirtualMachine(tvm.runtime.load_module(sys.argv[1]), tvm.cpu())
output = network["main"](tvm.runtime.tensor(numpy.ones((2, 3), "float32")))
numpy.save(sys.argv[2], output.numpy())
assert not [name for name in sys.modules if "familyseer" in name]
"""


def compiled(triple: str | None = None) -> CompiledNetwork:
    builder = relax.BlockBuilder()
    data = relax.Var("data", relax.TensorType((2, 3), "float32"))
    weight = relax.Var("weight", relax.TensorType((3, 4), "float32"))
    with builder.function("main", [data, weight]):
        with builder.dataflow():
            output = builder.emit_output(relax.op.matmul(data, weight))
        builder.emit_func_output(output)
    network = Network(builder.get(), [np.arange(12, dtype="float32").reshape(4, 3).T.copy()])
    kind = {"kind": "llvm", "num-cores": 1, **({"mtriple": triple} if triple else {})}
    text = f"llvm -mtriple={triple}" if triple else "llvm"
    return compile_network(network, MetaTarget(text, tvm.target.Target(kind)), None)


@pytest.mark.parametrize("ending", [".so", ".tar"])
def test_plain_tvm_loads_a_library_and_its_weights(tmp_path: Path, ending: str) -> None:
    library, output = tmp_path / f"net{ending}", tmp_path / "output.npy"
    compiled().export(str(library))
    assert [path.name for path in tmp_path.iterdir()] == [library.name]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", PLAIN, library, output], env=environment, cwd=tmp_path, check=True)
    np.testing.assert_array_equal(np.load(output), [[3, 12, 21, 30]] * 2)


def test_a_library_that_cannot_be_linked_leaves_the_earlier_one_alone(tmp_path: Path) -> None:
    library = tmp_path / "net.so"
    library.write_text("of an earlier job")
    foreign = compiled("aarch64-linux-gnu")
    with pytest.raises(RequestError, match=r"net\.so cannot be linked for the target .*aarch64.*CXX.*\.tar"):
        foreign.export(str(library))
    assert library.read_text() == "of an earlier job"
    assert [path.name for path in tmp_path.iterdir()] == ["net.so"]
    foreign.export(str(tmp_path / "net.tar"))
