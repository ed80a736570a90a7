"""Networks with control flow, functions and open shapes: what is tuned of them can be run in the end."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tvm
from familyseer import network_latency
from familyseer.errors import RequestError
from familyseer.network_latency import compile_network, executor_of, time_network
from familyseer.networks import build_network
from familyseer.tasks import extract, parse_target
from tvm import relay

CASES = Path(__file__).parent.parent / "cases"
TARGET = parse_target("llvm")


def _saved(path: Path, module: tvm.IRModule) -> str:
    path.write_text(tvm.ir.save_json(module))
    return str(path)


@pytest.mark.parametrize(("name", "tasks"), [("if.onnx", 1), ("loop.json", 1), ("nms.onnx", 4), ("helper.json", 1)])
def test_what_the_graph_executor_cannot_run_the_virtual_machine_does(name: str, tasks: int) -> None:
    if name.endswith(".onnx"):
        pytest.importorskip("onnx")
    path = str(CASES / name)
    assert len(extract(path, 1, "NHWC", TARGET, None).tasks) == tasks
    compiled = compile_network(build_network(path), TARGET, None)
    assert compiled.executor == "vm"
    seconds = time_network(compiled, 2, 1)
    assert len(seconds) == 2
    assert all(0 < each < 1 for each in seconds)


@pytest.mark.parametrize("name", ["mlp", str(CASES / "tuplein.json")])
def test_a_plain_network_runs_by_the_graph_executor(name: str) -> None:
    compiled = compile_network(build_network(name), TARGET, None)
    assert compiled.executor == "graph"
    assert len(time_network(compiled, 2, 1)) == 2


def test_closures_and_data_types_run_by_the_virtual_machine(tmp_path: Path) -> None:
    module = tvm.IRModule()
    prelude = tvm.relay.prelude.Prelude(module)
    _, cons, nil = prelude.mod.get_type("List")
    x = relay.var("x", shape=(1, 64))
    weight = relay.const(tvm.nd.array(np.ones((64, 64), "float32")))
    y = relay.var("y", shape=(1, 64))
    closure = relay.var("f")
    head, tail = relay.var("head"), relay.var("tail")
    matched = relay.Match(
        cons(relay.Call(closure, [x]), nil()),
        [
            relay.Clause(relay.PatternConstructor(cons, [relay.PatternVar(head), relay.PatternVar(tail)]), head),
            relay.Clause(relay.PatternWildcard(), x),
        ],
    )
    body = relay.Let(closure, relay.Function([y], relay.nn.relu(relay.nn.dense(y, weight)) + x), matched)
    module["main"] = relay.Function([x], body)
    path = _saved(tmp_path / "closure.json", module)
    assert len(extract(path, 1, "NHWC", TARGET, None).tasks) == 1
    compiled = compile_network(build_network(path), TARGET, None)
    assert compiled.executor == "vm"
    assert time_network(compiled, 1, 1)[0] > 0


def test_a_network_that_could_not_be_run_is_refused_before_it_is_tuned() -> None:
    failing = mock.patch.object(network_latency, "_build_vm", side_effect=tvm.TVMError("no such thing"))
    with failing, pytest.raises(RequestError, match=r"could be tuned but not run: .*\(no such thing\)"):
        extract(str(CASES / "loop.json"), 1, "NHWC", TARGET, None)


def test_for_a_target_that_is_not_built_for_here_nothing_is_compiled() -> None:
    network = build_network(str(CASES / "loop.json"))
    with mock.patch.object(network_latency, "_build_vm", side_effect=tvm.TVMError("no such thing")):
        if tvm.get_global_func("target.build.cuda", allow_missing=True) is None:
            assert executor_of(network, tvm.target.Target("cuda -arch=sm_70")) == "vm"
