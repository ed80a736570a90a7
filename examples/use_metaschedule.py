"""Compiles an ONNX network with what `familyseer tune --tuner metaschedule` found, and runs it, in plain TVM.

python use_metaschedule.py MODEL.onnx --log FOLDER --target '{"kind": "llvm", "mcpu": "znver4", "num-cores": 2}'
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import onnx
import tvm
from tvm import relax
from tvm.relax.frontend.onnx import from_onnx
from tvm.s_tir import meta_schedule as ms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="file that was tuned")
    parser.add_argument("--log", required=True, help="folder of the database that tuning wrote")
    parser.add_argument("--target", required=True, help="target that was tuned for, as JSON")
    parser.add_argument("--export", help="file for the compiled network, such as net.so")
    arguments = parser.parse_args()

    target = tvm.target.Target(json.loads(arguments.target))
    network = from_onnx(onnx.load(arguments.model))
    # What was tuned are the functions of the network after these passes and those of `compile_relax`.
    network = tvm.transform.Sequential(
        [relax.transform.DecomposeOpsForInference(), relax.transform.CanonicalizeBindings()]
    )(network)
    database = ms.database.JSONDatabase(work_dir=arguments.log, allow_missing=False)
    # It warns of each function that the database has no record of.
    library = ms.relax_integration.compile_relax(database, network, target, params=None, enable_warning=True)

    machine = relax.VirtualMachine(library, tvm.cpu())
    inputs = [
        tvm.runtime.tensor(np.zeros([int(extent) for extent in each.ty.shape], str(each.ty.dtype)))
        for each in network["main"].params
    ]
    seconds = machine.time_evaluator("main", tvm.cpu(), number=1, repeat=5, min_repeat_ms=100)(*inputs).median
    print(f"{arguments.model}: {seconds * 1e3:.4f} ms")
    if arguments.export is not None:
        library.export_library(arguments.export)


if __name__ == "__main__":
    main()
