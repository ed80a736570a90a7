"""Tunes MobileNet for this machine's CPU with families, in plain TVM but for one import.

pip install ./python, then: python examples/tune_llvm.py [--trials N] [--log FILE]
"""

from __future__ import annotations

import argparse

import tvm
from familyseer import TaskScheduler
from tvm import auto_scheduler, relay
from tvm.relay import testing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000, help="programs to measure")
    parser.add_argument("--log", default="mobilenet-llvm.log", help="file that records are appended to")
    arguments = parser.parse_args()

    target = tvm.target.Target("llvm")
    network, weights = testing.mobilenet.get_workload(batch_size=1, layout="NHWC", image_shape=(224, 224, 3))
    tasks, task_weights = auto_scheduler.extract_tasks(network["main"], weights, target)

    tuner = TaskScheduler(tasks, task_weights)
    tune_option = auto_scheduler.TuningOptions(
        num_measure_trials=arguments.trials,
        runner=auto_scheduler.LocalRunner(repeat=3, min_repeat_ms=100),
        measure_callbacks=[auto_scheduler.RecordToFile(arguments.log)],
    )
    tuner.tune(tune_option, search_policy="sketch.xgb.family_op")

    with (
        auto_scheduler.ApplyHistoryBest(arguments.log),
        tvm.transform.PassContext(opt_level=3, config={"relay.backend.use_auto_scheduler": True}),
    ):
        library = relay.build(network, target=target, params=weights)
    library.export_library("mobilenet-llvm.so")


if __name__ == "__main__":
    main()
