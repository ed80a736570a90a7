"""A network untuned and with the library kernels that this TVM has, compiled and timed.

TVM takes a library's kernel where its target names the library and Relay's strategy has one: cblas and dnnl for dense
layers and batch matmuls, cudnn for convolutions, cublas for dense layers. Everything else stays TVM's own, untuned.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import tvm

from ..ansor.latency import compile_network, time_network
from ..ansor.networks import build_network
from ..ansor.target import parse_target

# By kind of target: the library, and a function that is there if TVM was built with it.
LIBRARIES = {
    "llvm": {
        "cblas": "tvm.contrib.cblas.matmul",
        "mkl": "tvm.contrib.mkl.matmul",
        "dnnl": "tvm.contrib.dnnl.matmul",
    },
    "cuda": {"cudnn": "tvm.contrib.cudnn.conv2d.forward", "cublas": "tvm.contrib.cublas.matmul"},
}
REPEATS, MIN_REPEAT_MS = 5, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", required=True)
    parser.add_argument("--target", default="native")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    target = parse_target(arguments.target)
    network = build_network(arguments.network, 1, "NHWC")
    milliseconds, missing = {}, {}
    modules = {"untuned": compile_network(network, target, None)}
    for library, function in LIBRARIES[target.kind.name].items():
        if tvm.get_global_func(function, allow_missing=True) is None:
            missing[library] = "this TVM was built without it"
            continue
        try:
            modules[library] = compile_network(network, parse_target(f"{target} -libs={library}"), None)
        except tvm.TVMError as error:
            missing[library] = f"TVM cannot compile the network with it ({str(error).strip().splitlines()[-1]})"
    for name, module in modules.items():
        milliseconds[name] = 1000 * statistics.median(time_network(module, REPEATS, MIN_REPEAT_MS))
    arguments.out.write_text(json.dumps({"ms": milliseconds, "missing": missing}))


if __name__ == "__main__":
    main()
