"""Networks with control flow, functions and open shapes: what is tuned of them can be run in the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tvm
from familyseer.ansor import latency as network_latency
from familyseer.ansor.latency import compile_network, executor_of, time_network
from familyseer.ansor.networks import build_network
from familyseer.ansor.target import parse_target
from familyseer.ansor.tasks import extract
from familyseer.errors import RequestError
from tvm import relay

CASES = Path(__file__).parent.parent / "cases"
TARGET = parse_target("llvm")
WEIGHT = relay.const(tvm.nd.array(np.ones((64, 64), "float32")))


def _saved(path: Path, module: tvm.IRModule) -> str:
    path.write_text(tvm.ir.save_json(module))
    return str(path)


def _calling_twice() -> tvm.IRModule:
    module, block = tvm.IRModule(), relay.GlobalVar("block")
    x, y = relay.var("x", shape=(1, 64)), relay.var("y", shape=(1, 64))
    module[block] = relay.Function([y], relay.nn.relu(relay.nn.dense(y, WEIGHT)))
    module["main"] = relay.Function([x], block(block(x)))
    return module


def _looping() -> tvm.IRModule:
    count, x = relay.var("count", shape=(), dtype="int32"), relay.var("x", shape=(1, 64))

    def dense(count: relay.Expr, x: relay.Expr) -> list[relay.Expr]:
        return [count + relay.const(1), relay.tanh(relay.nn.dense(x, WEIGHT))]

    def again(count: relay.Expr, _x: relay.Expr) -> relay.Expr:
        return relay.less(count, relay.const(4))

    start = relay.var("start", shape=(1, 64))
    loop = relay.loops.while_loop(again, [count, x], dense)
    return tvm.IRModule.from_expr(relay.Function([start], relay.TupleGetItem(loop(relay.const(0), start), 1)))


def _with_a_closure_and_a_list() -> tvm.IRModule:
    module = tvm.IRModule()
    _, cons, nil = tvm.relay.prelude.Prelude(module).mod.get_type("List")
    x, y = relay.var("x", shape=(1, 64)), relay.var("y", shape=(1, 64))
    closure, head, tail = relay.var("closure"), relay.var("head"), relay.var("tail")
    matched = relay.Match(
        cons(relay.Call(closure, [x]), nil()),
        [
            relay.Clause(relay.PatternConstructor(cons, [relay.PatternVar(head), relay.PatternVar(tail)]), head),
            relay.Clause(relay.PatternWildcard(), x),
        ],
    )
    body = relay.Let(closure, relay.Function([y], relay.nn.relu(relay.nn.dense(y, WEIGHT)) + x), matched)
    module["main"] = relay.Function([x], body)
    return module


def _with_an_open_result() -> tvm.IRModule:
    x = relay.var("x", shape=(1, 64))
    return tvm.IRModule.from_expr(relay.Function([x], relay.argwhere(relay.nn.relu(relay.nn.dense(x, WEIGHT)))))


@pytest.mark.parametrize("make", [_calling_twice, _looping, _with_a_closure_and_a_list])
def test_what_the_graph_executor_cannot_run_the_virtual_machine_does(
    tmp_path: Path, make: Callable[[], tvm.IRModule]
) -> None:
    _is_tuned_and_timed(_saved(tmp_path / "net.json", make()), 1)


@pytest.mark.skipif(tvm.__version__.startswith("0.8."), reason="TVM 0.8 finds no tasks beside an argwhere")
def test_a_result_of_open_size_comes_from_the_virtual_machine(tmp_path: Path) -> None:
    _is_tuned_and_timed(_saved(tmp_path / "net.json", _with_an_open_result()), 2)


@pytest.mark.parametrize(("name", "tasks"), [("if.onnx", 1), ("nms.onnx", 4)])
def test_control_flow_of_onnx_is_tuned_and_timed(name: str, tasks: int) -> None:
    pytest.importorskip("onnx")
    _is_tuned_and_timed(str(CASES / name), tasks)


def _is_tuned_and_timed(path: str, tasks: int) -> None:
    assert len(extract(path, 1, "NHWC", TARGET, None).tasks) == tasks
    compiled = compile_network(build_network(path), TARGET, None)
    assert compiled.executor == "vm"
    seconds = time_network(compiled, 2, 1)
    assert len(seconds) == 2
    assert all(0 < each < 1 for each in seconds)


def test_a_plain_network_runs_by_the_graph_executor() -> None:
    compiled = compile_network(build_network("mlp"), TARGET, None)
    assert compiled.executor == "graph"
    assert len(time_network(compiled, 2, 1)) == 2


def test_a_network_that_could_not_be_run_is_refused_before_it_is_tuned(tmp_path: Path) -> None:
    path = _saved(tmp_path / "net.json", _looping())
    failing = mock.patch.object(network_latency, "_build_vm", side_effect=tvm.TVMError("no such thing"))
    with failing, pytest.raises(RequestError, match=r"could be tuned but not run: .*\(no such thing\)"):
        extract(path, 1, "NHWC", TARGET, None)


def test_for_a_target_that_is_not_built_for_here_nothing_is_compiled(tmp_path: Path) -> None:
    network = build_network(_saved(tmp_path / "net.json", _looping()))
    with mock.patch.object(network_latency, "_build_vm", side_effect=tvm.TVMError("no such thing")):
        if tvm.get_global_func("target.build.cuda", allow_missing=True) is None:
            assert executor_of(network, tvm.target.Target("cuda -arch=sm_70")) == "vm"
