"""Programs per second: TVM's LocalBuilder and LocalRunner, and our engine, on the same programs, alternated."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from familyseer.measuring.cpus import find_threads
from familyseer.nvrtc import NO_GPU, gpu_count


def main() -> None:
    # Every side runs programs on as many threads as `familyseer tune` does.
    os.environ["TVM_NUM_THREADS"] = str(find_threads().count)
    parser = argparse.ArgumentParser(description=__doc__, prog="bench:measure")
    parser.add_argument("--tuner", choices=("ansor", "metaschedule"), default="ansor", help="whose programs (ansor)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--kind", help="only kinds of task with this in their name")
    parser.add_argument("--gpu", action="store_true", help="measure on this machine's GPU, with a TVM that has CUDA")
    parser.add_argument("--programs", type=int, help="of each kind (16; of MetaSchedule's 64, as TVM takes in a round)")
    arguments = parser.parse_args()
    if arguments.gpu and gpu_count() == 0:
        sys.exit(NO_GPU)
    importlib.import_module(f".{arguments.tuner}", __package__).compare(arguments)


if __name__ == "__main__":
    main()
