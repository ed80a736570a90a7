"""The whole network by Relax's virtual machine, with or without what tuning found."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tvm
from tvm import relax
from tvm.s_tir import meta_schedule

from .. import tvm_names
from ..errors import RequestError, last_line
from ..library import export_library
from ..measuring.run import device_kind
from . import intrinsics
from .lowering import lower

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .networks import Network
    from .records import Record
    from .target import MetaTarget

_MOST_NAMES = 5
# Beside such a run its start and the clock are nothing.
_LONG_SECONDS = 5.0


@dataclass(frozen=True)
class CompiledNetwork:
    """A network as TVM built it, its weights in it: `main` of `built` takes the inputs alone."""

    built: relax.VMExecutable
    target: MetaTarget
    inputs: list[NDArray[Any]]
    notices: list[str]

    @functools.cached_property
    def on_device(self) -> OnDevice:
        """The network on the target's first device, which building does not need, and its inputs."""
        device = tvm.device(device_kind(str(self.target)), 0)
        arguments = [tvm_names.array(each, device) for each in self.inputs]
        return OnDevice(relax.VirtualMachine(self.built, device), arguments, device)

    def run(self) -> Any:
        """The network's output, or outputs, on the device."""
        return self.on_device.machine["main"](*self.on_device.arguments)

    def outputs(self) -> list[NDArray[Any]]:
        made = self.run()
        return [made.numpy()] if hasattr(made, "numpy") else [each.numpy() for each in made]

    def _seconds_of_a_run(self) -> float:
        begun = time.perf_counter()
        self.run()
        self.on_device.device.sync()
        return time.perf_counter() - begun

    def export(self, file: str) -> None:
        export_library(self.built, file, str(self.target))

    def time(self, repeat: int, min_repeat_ms: int) -> list[float]:
        on = self.on_device
        first = self._seconds_of_a_run()
        if first > _LONG_SECONDS:
            # TVM runs once more to warm up; an untuned transformer takes minutes a run.
            return [first, *(self._seconds_of_a_run() for _ in range(repeat - 1))]
        timer = on.machine.time_evaluator("main", on.device, number=1, repeat=repeat, min_repeat_ms=min_repeat_ms)
        return [float(seconds) for seconds in timer(*on.arguments).results]


@dataclass(frozen=True)
class OnDevice:
    machine: relax.VirtualMachine
    arguments: list[Any]
    device: tvm.runtime.Device


def compile_network(network: Network, target: MetaTarget, records: Sequence[Record] | None) -> CompiledNetwork:
    """Builds a network; with records, each of its tasks by its best one.

    Untuned is what `tvm.compile` makes by default. On a GPU that is fused and scheduled by DLight. On a CPU it is not
    fused, and each operator is the loops that its definition has, on one thread.

    Raises RequestError for what TVM cannot compile.
    """
    notices: list[str] = []
    try:
        if records is None:
            built = tvm.compile(_with_weights(network.module, network.weights), target.tvm)
        else:
            built, notices = _build_tuned(network, target, best_of(records))
    except Exception as error:
        how = "" if records is None else " with the log's programs"
        raise RequestError(
            f"TVM cannot compile the network{how} for the target {target}: {last_line(error)}"
        ) from error
    return CompiledNetwork(built, target, list(network.examples().values()), notices)


def best_of(records: Sequence[Record]) -> meta_schedule.database.MemoryDatabase:
    """A database of each task's fastest program; a task that none of the records is of, or only failed ones, is not
    in it."""
    best: dict[int, tuple[float, Record]] = {}
    for record in records:
        if record.cost is not None and (record.task not in best or record.cost < best[record.task][0]):
            best[record.task] = (record.cost, record)
    database = meta_schedule.database.MemoryDatabase()
    for _, record in best.values():
        database.commit_workload(record.of.module)
        database.commit_tuning_record(record.tuning_record())
    return database


def _build_tuned(
    network: Network, target: MetaTarget, database: meta_schedule.database.Database
) -> tuple[relax.VMExecutable, list[str]]:
    # Of the programs that tensorize.
    intrinsics.load(target.tvm)
    module = lower(network.module, target.tvm)
    with target.tvm, database:
        module = relax.transform.MetaScheduleApplyDatabase()(module)
    notices = _found(module, len(database))
    if "gpu" in target.tvm.keys:
        module = _scheduled_for_gpu(module, target)
    # After fusing, so that TVM computes none of them anew, nor folds what tasks read.
    module = _with_weights(module, network.weights)
    return relax.build(module, target.tvm, relax_pipeline="default_build"), notices


def _found(module: tvm.IRModule, recorded: int) -> list[str]:
    """How many of a network's functions the database had a program for."""
    functions = {
        name.name_hint: function
        for name, function in module.functions.items()
        # A view is no function when the network runs.
        if isinstance(function, tvm.tirx.PrimFunc) and not relax.analysis.has_reshape_pattern(function)
    }
    left = sorted(name for name, function in functions.items() if not (function.attrs or {}).get("tirx.is_scheduled"))
    found = len(functions) - len(left)
    notices = [f"by Relax's virtual machine, with the log's programs for {found} of {len(functions)} functions"]
    if left:
        more = f" and {len(left) - _MOST_NAMES} more" if len(left) > _MOST_NAMES else ""
        notices.append(f"without a program stay as TVM lowers them: {', '.join(left[:_MOST_NAMES])}{more}")
    if found < recorded:
        notices.append(f"the log has programs of {recorded} tasks, but TVM found only {found} of them in the network")
    return notices


def _scheduled_for_gpu(module: tvm.IRModule, target: MetaTarget) -> tvm.IRModule:
    """What no program was found for, by the rules that TVM has for GPUs (TVM: `compile_relax`)."""
    from tvm.s_tir import dlight

    rules = [
        dlight.gpu.Matmul(),
        dlight.gpu.GEMV(),
        dlight.gpu.Reduction(),
        dlight.gpu.GeneralReduction(),
        dlight.gpu.Fallback(),
    ]
    with target.tvm:
        return dlight.ApplyDefaultSchedule(*rules)(module)


def _with_weights(module: tvm.IRModule, weights: Sequence[Any]) -> tvm.IRModule:
    """With the last parameters of `main` bound to the weights."""
    if not weights:
        return module
    parameters = list(module["main"].params)[-len(weights) :]
    return relax.transform.BindParams("main", dict(zip(parameters, weights)))(module)
