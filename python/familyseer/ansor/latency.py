"""Compiling a whole network, with or without a log's best programs, and timing it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Literal

import tvm
from tvm import auto_scheduler, relay
from tvm.contrib import graph_executor
from tvm.runtime.vm import VirtualMachine

from ..errors import RequestError, last_line
from ..library import export_library
from .dense import mend_dense
from .networks import Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .records import Record

# What runs a compiled network: TVM's graph executor, or, where the network has control flow or shapes that are known
# only when it runs, its virtual machine.
Executor = Literal["graph", "vm"]


@dataclass(frozen=True)
class CompiledNetwork:
    """A network as TVM built it: for the graph executor what `relay.build` made, else what `relay.vm.compile` did."""

    executor: Executor
    # Lives as long as what is on the device: TVM 0.8's virtual machine does not hold what it executes.
    built: Any
    target: tvm.target.Target
    inputs: dict[str, NDArray[Any]]

    @functools.cached_property
    def on_device(self) -> OnDevice:
        """The network on the target's first device, which building does not need, its inputs set."""
        device = tvm.device(self.target.kind.name if self.target.kind.name != "llvm" else "cpu", 0)
        if self.executor == "vm":
            machine = VirtualMachine(self.built, device)
            machine.set_input("main", **self.inputs)
            return OnDevice(machine.module, "invoke", ("main",), device)
        module = graph_executor.GraphModule(self.built["default"](device))
        for name, example in self.inputs.items():
            module.set_input(name, example)
        return OnDevice(module.module, "run", (), device)

    @property
    def library(self) -> Any:
        """What can be exported."""
        return self.built.mod if self.executor == "vm" else self.built

    @property
    def notices(self) -> list[str]:
        if self.executor == "graph":
            return []
        return ["the network has control flow, functions or open shapes: TVM's virtual machine runs it"]

    def export(self, file: str) -> None:
        export_library(self.library, file, str(self.target))

    def outputs(self) -> list[NDArray[Any]]:
        on = self.on_device
        on.module[on.run](*on.arguments)
        return [on.module["get_output"](number).numpy() for number in range(on.module["get_num_outputs"]())]

    def time(self, repeat: int, min_repeat_ms: int) -> list[float]:
        return time_network(self, repeat, min_repeat_ms)


@dataclass(frozen=True)
class OnDevice:
    """`run` is the function of `module` that runs the network, with `arguments`."""

    module: tvm.runtime.Module
    run: str
    arguments: tuple[str, ...]
    device: tvm.runtime.Device


def executor_of(network: Network, target: tvm.target.Target) -> Executor:
    """What runs the network. Whether the virtual machine can is tried, where this TVM builds for the target at all.

    Raises RequestError if it cannot.
    """
    if _is_plain(network.module):
        return "graph"
    if tvm.get_global_func(f"target.build.{target.kind.name}", allow_missing=True) is None:
        return "vm"
    try:
        _build_vm(network, target, None)
    except Exception as error:
        raise RequestError(
            "The network could be tuned but not run: it has control flow, functions or open shapes, and TVM's virtual "
            f"machine cannot compile it ({last_line(error)}). Expected a network that relay.vm.compile takes."
        ) from None
    return "vm"


def compile_network(network: Network, target: tvm.target.Target, records: Sequence[Record] | None) -> CompiledNetwork:
    """Builds a network; with records, each task by its best (TVM's ApplyHistoryBest).

    Raises RequestError for a kind of target that this TVM was built without, and for what it cannot compile.
    """
    kind = target.kind.name
    if tvm.get_global_func(f"target.build.{kind}", allow_missing=True) is None:
        setup = "Run `scripts/setup --cuda`, or name" if kind == "cuda" else "Name"
        raise RequestError(
            f"This TVM was built without {kind}, so that it cannot compile for the target {target}. {setup} a Python "
            "whose TVM has it by --tvm-python."
        )
    executor: Executor = "graph" if _is_plain(network.module) else "vm"
    build = _build_graph if executor == "graph" else _build_vm
    try:
        built = build(network, target, records)
    except Exception as error:
        how = "" if records is None else " with the log's programs"
        raise RequestError(
            f"TVM cannot compile the network{how} for the target {target}: {last_line(error)}"
        ) from error
    return CompiledNetwork(executor, built, target, network.inputs)


def time_network(network: CompiledNetwork, repeat: int, min_repeat_ms: int) -> list[float]:
    """Seconds per run of the whole network, one mean for each of `repeat` measurements."""
    run = network.on_device
    timer = run.module.time_evaluator(run.run, run.device, number=1, repeat=repeat, min_repeat_ms=min_repeat_ms)
    return [float(seconds) for seconds in timer(*run.arguments).results]


def _build_graph(network: Network, target: tvm.target.Target, records: Sequence[Record] | None) -> tvm.runtime.Module:
    return _with_records(records, lambda: relay.build(network.module, target=target, params=network.weights))


def _build_vm(
    network: Network, target: tvm.target.Target, records: Sequence[Record] | None
) -> tvm.runtime.vm.Executable:
    return _with_records(records, lambda: relay.vm.compile(network.module, target=target, params=network.weights))


def _with_records(records: Sequence[Record] | None, build: Callable[[], object]) -> object:
    mend_dense()
    if records is None:
        with tvm.transform.PassContext(opt_level=3):
            return build()
    with (
        auto_scheduler.ApplyHistoryBest([(record.input, record.result) for record in records]),
        tvm.transform.PassContext(opt_level=3, config={"relay.backend.use_auto_scheduler": True}),
    ):
        return build()


def _is_plain(module: tvm.IRModule) -> bool:
    """Whether a module has but operators on tensors of known shapes, which the graph executor surely runs."""
    if len(module.get_global_vars()) > 1:
        return False
    plain = (relay.Call, relay.Constant, relay.Var, relay.Tuple, relay.TupleGetItem, relay.Function, tvm.ir.Op)
    main = relay.transform.InferType()(module)["main"]
    unlike: list[relay.Expr] = []

    def look(expression: relay.Expr) -> None:
        inner = isinstance(expression, relay.Function) and expression != main
        is_open = isinstance(expression, relay.Call) and relay.ty.is_dynamic(expression.checked_type)
        if inner or is_open or not isinstance(expression, plain):
            unlike.append(expression)

    relay.analysis.post_order_visit(main, look)
    return not unlike
