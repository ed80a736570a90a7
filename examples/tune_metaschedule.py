"""Tunes an ONNX network with families, in plain TVM but for two imports.

pip install ./python, then: python tune_metaschedule.py MODEL.onnx --log FOLDER [--target JSON] [--trials N]
"""

from __future__ import annotations

import argparse
import json
import os

import onnx
import tvm
from familyseer.metaschedule import StreamingBuilder, StreamingRunner, TaskScheduler, load_intrinsics
from tvm import relax
from tvm.relax.frontend.onnx import from_onnx
from tvm.s_tir import meta_schedule as ms
from tvm.target.codegen import llvm_get_system_cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="network to tune")
    parser.add_argument("--log", required=True, help="folder for the database; one that is there is gone on with")
    parser.add_argument("--target", help="target as JSON (this machine's CPU)")
    parser.add_argument("--trials", type=int, default=2000, help="programs to measure")
    arguments = parser.parse_args()

    # Without a processor's name the code is for the oldest of its kind.
    own = {"kind": "llvm", "mcpu": llvm_get_system_cpu(), "num-cores": os.cpu_count()}
    target = tvm.target.Target(json.loads(arguments.target) if arguments.target else own)
    print(f"target: {target}")
    # Else TVM parses the intrinsics of all targets, for some 15 seconds.
    load_intrinsics(target)
    network = from_onnx(onnx.load(arguments.model))
    with target:
        lowered = tvm.transform.Sequential(
            [
                relax.transform.DecomposeOpsForInference(),
                relax.transform.CanonicalizeBindings(),
                relax.get_pipeline("zero"),
            ]
        )(network)

    builder = StreamingBuilder()
    ms.relax_integration.tune_relax(
        lowered,
        params={},
        target=target,
        work_dir=arguments.log,
        max_trials_global=arguments.trials,
        builder=builder,
        runner=StreamingRunner(builder),
        task_scheduler=TaskScheduler("meta.xgb.family_op"),
    )


if __name__ == "__main__":
    main()
