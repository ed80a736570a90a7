"""Tunes MobileNet for a CUDA GPU, or several at once, with families: FamilySeer's own usage.

pip install ./python, then: python examples/tune_cuda.py [--gpus N] [--trials N] [--log FILE]
Needs a TVM that was built with CUDA, and a GPU.
"""

from __future__ import annotations

import argparse

import tvm
from familyseer import TaskScheduler
from familyseer.devices import start_devices
from tvm import auto_scheduler
from tvm.relay import testing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpus", type=int, default=1, help="GPUs to measure on at once")
    parser.add_argument("--trials", type=int, default=20000, help="programs to measure")
    parser.add_argument("--log", default="mobilenet-cuda.log", help="file that records are appended to")
    arguments = parser.parse_args()
    if not tvm.cuda(0).exist:
        parser.error("there is no CUDA GPU that this TVM can use; examples/tune_llvm.py tunes for the CPU")

    target = tvm.target.Target("cuda")
    network, weights = testing.mobilenet.get_workload(batch_size=1, layout="NHWC", image_shape=(224, 224, 3))
    tasks, task_weights = auto_scheduler.extract_tasks(network["main"], weights, target)

    tracker, servers, runner = start_devices(arguments.gpus, repeat=1, min_repeat_ms=300, timeout=10)
    try:
        tuner = TaskScheduler(tasks, task_weights)
        tune_option = auto_scheduler.TuningOptions(
            num_measure_trials=arguments.trials,
            runner=runner,
            measure_callbacks=[auto_scheduler.RecordToFile(arguments.log)],
        )
        tuner.tune(tune_option, search_policy="sketch.xgb.family_op")
    finally:
        servers.terminate()
        tracker.terminate()


if __name__ == "__main__":
    main()
