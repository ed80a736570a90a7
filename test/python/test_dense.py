"""Dense layers can be tuned, and a network compiled with what was tuned computes the same."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from familyseer.ansor.dense import mend_dense
from familyseer.ansor.latency import compile_network
from familyseer.ansor.networks import Network
from familyseer.ansor.records import Record
from tvm import auto_scheduler, relay
from tvm.auto_scheduler import MeasureInput, MeasureResult

TARGET = tvm.target.Target("llvm")
BATCH, DEPTH, WIDTH = 4, 24, 20


def network(operation: str) -> Network:
    """A dense layer, or a matmul or batch matmul with constant weights, and a bias."""
    first = (1,) if operation == "batch_matmul" else ()
    shape = (*first, WIDTH, DEPTH) if operation == "dense" else (*first, DEPTH, WIDTH)
    data = relay.var("data", shape=(*first, BATCH, DEPTH))
    weight, bias = relay.var("weight", shape=shape), relay.var("bias", shape=(WIDTH,))
    if operation == "batch_matmul":
        product = relay.nn.batch_matmul(data, weight, transpose_b=False)
    else:
        product = relay.nn.dense(data, weight) if operation == "dense" else relay.nn.matmul(data, weight)
    module = tvm.IRModule.from_expr(relay.nn.relu(relay.nn.bias_add(product, bias, axis=-1)))
    random = np.random.default_rng(0)
    weights = {
        "weight": tvm.nd.array(random.normal(size=shape).astype("float32")),
        "bias": tvm.nd.array(random.normal(size=WIDTH).astype("float32")),
    }
    return Network(module, weights, {"data": random.normal(size=(*first, BATCH, DEPTH)).astype("float32")})


@pytest.mark.parametrize("operation", ["dense", "matmul", "batch_matmul"])
def test_every_program_of_a_dense_layer_lowers_and_computes_what_the_untuned_one_does(
    operation: str,
) -> None:
    mend_dense()
    mend_dense()
    layer = network(operation)
    (task,), _ = auto_scheduler.extract_tasks(layer.module["main"], layer.weights, TARGET)
    policy = auto_scheduler.SketchPolicy(
        task, auto_scheduler.RandomModel(), params={"evolutionary_search_population": 8}, verbose=0, seed=0
    )
    states = list(policy.sample_initial_population())[:4]
    assert states
    expected = output(layer, None)
    for state in states:
        task.compute_dag.apply_steps_from_state(state, layout_rewrite=task.layout_rewrite_option)
        record = Record(0, MeasureInput(task, state), MeasureResult([1e-6], 0, "", 0.0, 0.0), 1e-6)
        np.testing.assert_allclose(output(layer, [record]), expected, rtol=1e-4, atol=1e-5)


def output(layer: Network, records: list[Record] | None) -> np.ndarray:
    module = compile_network(layer, TARGET, records).on_device.module
    module["run"]()
    return module["get_output"](0).numpy()
