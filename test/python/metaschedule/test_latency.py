"""A whole network by Relax's virtual machine: untuned, and with programs of its tasks."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from unittest import mock

import numpy as np
import pytest
import tvm
from familyseer.backend import Effort
from familyseer.errors import RequestError
from familyseer.learning.cost_model import TrainingSettings
from familyseer.measuring.cpus import allowed_cpus, run_on
from familyseer.metaschedule import latency
from familyseer.metaschedule.cost_model import CostModel
from familyseer.metaschedule.latency import CompiledNetwork, best_of, compile_network
from familyseer.metaschedule.networks import Network
from familyseer.metaschedule.records import Record
from familyseer.metaschedule.target import parse_target
from familyseer.metaschedule.task import MetaTask
from familyseer.metaschedule.tasks import extract_tasks
from tvm import relax
from tvm.s_tir import meta_schedule as ms

TARGET = parse_target("llvm -num-cores=2")


@dataclass(frozen=True)
class Small:
    network: Network
    tasks: list[MetaTask]


@pytest.fixture(scope="module")
def small() -> Small:
    """A convolution with what follows it, a dense layer and a softmax. Their functions but not the view between."""
    network = convolution_and_dense()
    tasks, _ = extract_tasks(network, TARGET.tvm)
    return Small(network, [MetaTask(number, task, TARGET) for number, task in enumerate(tasks)])


def convolution_and_dense(classes: int = 10) -> Network:
    builder = relax.BlockBuilder()
    data = relax.Var("data", relax.TensorType((1, 16, 16, 3), "float32"))
    shapes = {"kernel": (3, 3, 3, 8), "shift": (1, 1, 1, 8), "dense": (2048, classes)}
    weights = {name: relax.Var(name, relax.TensorType(shape, "float32")) for name, shape in shapes.items()}
    with builder.function("main", [data, *weights.values()]):
        with builder.dataflow():
            x = builder.emit(
                relax.op.nn.conv2d(data, weights["kernel"], padding=1, data_layout="NHWC", kernel_layout="HWIO")
            )
            x = builder.emit(relax.op.nn.relu(relax.op.add(x, weights["shift"])))
            x = builder.emit(relax.op.matmul(relax.op.reshape(x, (1, 2048)), weights["dense"]))
            output = builder.emit_output(relax.op.nn.softmax(x))
        builder.emit_func_output(output)
    random = np.random.default_rng(0)
    drawn = [
        (random.standard_normal(shape) / math.sqrt(math.prod(shape[:-1]))).astype("float32")
        for shape in shapes.values()
    ]
    return Network(builder.get(), drawn)


def ran(task: MetaTask, cost: float | None, unrolled: bool = False) -> Record:
    """A program with the first stage's outer loop on threads; or its inner one unrolled, too."""
    schedule = tvm.s_tir.Schedule(task.module)
    loops = schedule.get_loops(schedule.get_child_blocks(schedule.get_sblock("root"))[0])
    schedule.parallel(loops[0])
    if unrolled:
        schedule.unroll(loops[-1])
    return Record(task, schedule, () if cost is None else (cost,))


def test_untuned_and_tuned_compute_the_same(small: Small) -> None:
    records = [ran(task, 1e-3) for task in small.tasks]
    untuned = compile_network(small.network, TARGET, None)
    tuned = compile_network(small.network, TARGET, records)
    output = tuned.run().numpy()
    assert output.shape == (1, 10)
    np.testing.assert_allclose(output, untuned.run().numpy(), rtol=1e-4)
    assert untuned.notices == []
    count = len(small.tasks)
    assert tuned.notices == [f"by Relax's virtual machine, with the log's programs for {count} of {count} functions"]


def test_what_the_search_finds_is_found_in_the_network_and_computes_the_same(small: Small) -> None:
    records = []
    for task in small.tasks:
        model = CostModel("random", "random", [task.number], 0, 0, TrainingSettings())
        programs = map(task.finished, task.explorer(model, 0).sample(Effort(4, 1)))
        records.append(Record(task, next(each for each in programs if task.refusal(each) is None), (1e-3,)))
    tuned = compile_network(small.network, TARGET, records)
    count = len(small.tasks)
    assert tuned.notices == [f"by Relax's virtual machine, with the log's programs for {count} of {count} functions"]
    untuned = compile_network(small.network, TARGET, None)
    np.testing.assert_allclose(tuned.run().numpy(), untuned.run().numpy(), rtol=1e-4)


def test_a_network_runs_on_the_threads_that_timing_is_given(small: Small) -> None:
    compiled = compile_network(small.network, TARGET, None)
    cpu = min(allowed_cpus())
    seconds = run_on((cpu,), compiled.time, 2, 1)
    assert len(seconds) == 2 and all(0 < each < 1 for each in seconds)
    assert run_on((cpu,), tvm.get_global_func("runtime.NumThreads")) == 1


def test_runs_of_many_seconds_are_not_warmed_up_for(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = compile_network(small.network, TARGET, None)
    monkeypatch.setattr(latency, "_LONG_SECONDS", 0.0)
    with mock.patch.object(CompiledNetwork, "run", autospec=True, side_effect=CompiledNetwork.run) as runs:
        seconds = compiled.time(2, 1000)
    assert len(seconds) == runs.call_count == 2 and all(0 < each < 1 for each in seconds)


def test_a_task_is_compiled_by_its_fastest_program(small: Small) -> None:
    task = small.tasks[0]
    records = [ran(task, 2e-3), ran(task, 1e-3, unrolled=True), ran(task, None), ran(task, 3e-3)]
    database = best_of(records)
    assert len(database) == 1
    (kept,) = database.get_all_tuning_records()
    assert [float(seconds) for seconds in kept.run_secs] == [1e-3]
    assert str(kept.trace) == str(records[1].program.trace)


def test_functions_without_a_program_are_named(small: Small) -> None:
    records = [ran(task, 1e-3) for task in small.tasks if "softmax" not in task.extracted.name]
    count = len(small.tasks)
    assert len(records) == count - 1
    assert compile_network(small.network, TARGET, records).notices == [
        f"by Relax's virtual machine, with the log's programs for {count - 1} of {count} functions",
        "without a program stay as TVM lowers them: softmax",
    ]


def test_programs_that_tvm_does_not_find_in_the_network_are_counted(small: Small) -> None:
    records = [ran(task, 1e-3) for task in small.tasks]
    other = convolution_and_dense(classes=11)
    assert compile_network(other, TARGET, records).notices == [
        "by Relax's virtual machine, with the log's programs for 1 of 3 functions",
        "without a program stay as TVM lowers them: matmul, softmax",
        "the log has programs of 3 tasks, but TVM found only 1 of them in the network",
    ]


def test_compile_relax_finds_what_our_database_holds(small: Small, capfd: pytest.CaptureFixture[str]) -> None:
    database = best_of([ran(task, 1e-3) for task in small.tasks])
    for known, missed in ((database, []), (best_of([]), sorted(task.extracted.name for task in small.tasks))):
        ms.relax_integration.compile_relax(known, small.network.module, TARGET.tvm, None, enable_warning=True)
        warned = re.findall(r"record is not found for primfunc: (\w+)", capfd.readouterr().err)
        assert sorted(set(warned) - {"reshape"}) == missed


def test_what_tvm_cannot_compile_is_refused_in_one_line(small: Small) -> None:
    module = small.network.module
    broken = Network(module, [np.zeros((1, 1), "float32")])
    with pytest.raises(
        RequestError, match="TVM cannot compile the network for the target llvm -num-cores=2: "
    ) as refused:
        compile_network(broken, TARGET, None)
    assert "\n" not in str(refused.value)
