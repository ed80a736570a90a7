"""Two jobs that time programs on this CPU at once, in turns and not: npm run bench:turns.

Programs of a matrix product are timed alone, and then by two processes at once: with turns (measuring/turns.py), and
with each process taking turns with itself alone. Prints how many times as long as alone programs took, and what a turn
costs.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from familyseer.ansor.programs import PRELOAD, AnsorProgram
from familyseer.measuring import engine as engines
from familyseer.measuring.build import build, link_here
from familyseer.measuring.engine import Engine, EngineSettings
from familyseer.measuring.run import Timing
from familyseer.measuring.turns import Turns
from tvm import auto_scheduler
from tvm.testing.auto_scheduler import matmul_auto_scheduler_test

_TIMING = Timing(number=3, repeat=1, min_repeat_ms=100)
_SIZE = 256
_TURNS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=24)
    parser.add_argument("--measure", metavar="FOLDER", help="one process's part: prints the costs")
    arguments = parser.parse_args()
    if arguments.measure:
        print(*_costs(arguments.programs, Path(arguments.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        shared, own = Path(folder, "shared"), [Path(folder, "first"), Path(folder, "second")]
        (alone,) = _together(arguments.programs, [shared])
        print("two jobs at once, times as long as alone: median, quartiles; programs timed by more than a tenth more")
        for name, folders in (("alone again", [shared]), ("in turns", [shared, shared]), ("not", own)):
            together = _together(arguments.programs, folders)
            _tell(name, [cost / before for costs in together for cost, before in zip(costs, alone)])
        turns = Turns(shared)
        begun = time.perf_counter()
        for _ in range(_TURNS):
            turns.take("cpu")
            turns.give_back("cpu")
        print(f"a turn, alone: {1e6 * (time.perf_counter() - begun) / _TURNS:.1f} microseconds")


def _tell(name: str, ratios: list[float]) -> None:
    low, median, high = np.percentile(ratios, [25, 50, 75])
    slower = statistics.fmean(ratio > 1.1 for ratio in ratios)
    print(f"{name:12} {median:.3f} ({low:.3f}, {high:.3f}), {100 * slower:.0f} %")


def _together(programs: int, folders: list[Path]) -> list[list[float]]:
    command = [sys.executable, __file__, "--programs", str(programs), "--measure"]
    processes = [subprocess.Popen([*command, str(folder)], stdout=subprocess.PIPE, text=True) for folder in folders]
    outputs = [process.communicate()[0] for process in processes]
    return [[float(cost) for cost in output.splitlines()[-1].split()] for output in outputs]


def _costs(programs: int, folder: Path) -> list[float]:
    """Of the same programs in every process, all built before any is timed; in seconds."""
    engines.Turns = lambda: Turns(folder)
    task = auto_scheduler.SearchTask(func=matmul_auto_scheduler_test, args=(_SIZE,) * 3, target="llvm")
    policy = auto_scheduler.SketchPolicy(task, verbose=0, seed=1)
    states = policy.sample_initial_population()[:programs]
    inputs = [AnsorProgram(auto_scheduler.MeasureInput(task, state)) for state in states]
    built = [build(one.build_request(link_here)) for one in inputs]
    engine = Engine(EngineSettings(), preload=PRELOAD)
    try:
        futures = [engine.submit(one, _TIMING, program) for one, program in zip(inputs, built)]
        return [statistics.fmean(future.result().costs) for future in futures]
    finally:
        engine.close()


if __name__ == "__main__":
    main()
