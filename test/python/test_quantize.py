"""TVM's own quantisation works beside the packages that set-up installs."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from tvm import relay
from tvm.contrib import graph_executor

X = np.random.default_rng(0).normal(size=(1, 8, 16, 16)).astype("float32")


def network() -> tvm.IRModule:
    random, layer = np.random.default_rng(1), relay.var("x", shape=X.shape)
    for channels in (8, 16):
        weight = relay.const(0.1 * random.normal(size=(16, channels, 3, 3)).astype("float32"))
        layer = relay.nn.relu(relay.nn.conv2d(layer, weight, padding=(1, 1), channels=16, kernel_size=(3, 3)))
    return tvm.IRModule.from_expr(layer)


def run(module: tvm.IRModule) -> np.ndarray:
    with tvm.transform.PassContext(opt_level=3):
        library = relay.build(module, "llvm")
    executor = graph_executor.GraphModule(library["default"](tvm.cpu()))
    executor.set_input("x", X)
    executor.run()
    return executor.get_output(0).numpy()


# TVM 0.15 to 0.19 use np.math, which numpy 2.0 has no more.
@pytest.mark.skipif(
    np.__version__ >= "2" and not hasattr(np, "math"), reason="this numpy is not the one set-up installs"
)
@pytest.mark.parametrize("how", [{"calibrate_mode": "global_scale", "global_scale": 4.0}, {"weight_scale": "max"}])
def test_a_quantised_network_computes_nearly_the_same(how: dict[str, object]) -> None:
    mode = {"calibrate_mode": "kl_divergence", **how}
    with relay.quantize.qconfig(skip_conv_layers=[], **mode):
        quantised = relay.quantize.quantize(network(), dataset=[{"x": X}])
    assert "int8" in str(quantised)
    expected = run(network())
    assert np.abs(run(quantised) - expected).mean() < 0.1 * np.abs(expected).mean()
