"""Compiling a whole network, with or without a log's best programs, and timing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tvm
from tvm import auto_scheduler, relay
from tvm.contrib import graph_executor

from .dense import mend_dense
from .networks import Network

if TYPE_CHECKING:
    from .records import Record


def compile_network(
    network: Network, target: tvm.target.Target, records: list[Record] | None
) -> graph_executor.GraphModule:
    """Builds a network; with records, each task by its best (TVM's ApplyHistoryBest)."""
    mend_dense()
    if records is None:
        with tvm.transform.PassContext(opt_level=3):
            library = relay.build(network.module, target=target, params=network.weights)
    else:
        with (
            auto_scheduler.ApplyHistoryBest([(record.input, record.result) for record in records]),
            tvm.transform.PassContext(opt_level=3, config={"relay.backend.use_auto_scheduler": True}),
        ):
            library = relay.build(network.module, target=target, params=network.weights)
    device = tvm.device(target.kind.name if target.kind.name != "llvm" else "cpu", 0)
    module = graph_executor.GraphModule(library["default"](device))
    for name, example in network.inputs.items():
        module.set_input(name, example)
    return module


def time_network(module: graph_executor.GraphModule, repeat: int, min_repeat_ms: int) -> list[float]:
    """Seconds per run of the whole network, one mean for each of `repeat` measurements."""
    device = module.module["get_output"](0).device
    timer = module.module.time_evaluator("run", device, number=1, repeat=repeat, min_repeat_ms=min_repeat_ms)
    return [float(seconds) for seconds in timer().results]
