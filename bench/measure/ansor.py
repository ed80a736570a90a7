"""Ansor's programs: TVM's builder and runner, and our engine.

For each kind of task of mobilenetv2_0.5: random programs, programs evolved by a model of those, and random ones of
which one takes 15 s to build. Ours runs with the same timing, and again with early ending of clearly worse programs.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Callable

from familyseer.ansor.core_operation import task_words
from familyseer.ansor.programs import PRELOAD, AnsorProgram
from familyseer.ansor.results import FAILED_COST, measure_result
from familyseer.ansor.target import parse_target
from familyseer.ansor.tasks import extract
from familyseer.measuring.build import link_here
from familyseer.measuring.engine import Engine, EngineSettings
from familyseer.measuring.run import Timing
from tvm import auto_scheduler
from tvm.contrib import tar

from .outcome import Outcome, by_engine, show

PROGRAMS = 16
SLOW_BUILD_SECONDS = 15.0
WORSE_RATIO = 2.0
TIMING = Timing()
SEARCH = {"evolutionary_search_population": 256, "evolutionary_search_num_iters": 2}


def slow_once(pack: Callable[..., Any], marker: str, output: str, objects: Any, options: Any = None) -> None:
    """Packs a program, once for each time that `marker` is removed after 15 s of work."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        pass
    else:
        end = time.monotonic() + SLOW_BUILD_SECONDS
        while time.monotonic() < end:
            pass
    pack(output, objects, options)


def slow_build(pack: Callable[..., Any], marker: Path) -> Callable[..., Any]:
    function = functools.partial(slow_once, pack, str(marker))
    function.output_format = pack.output_format
    return function


def by_tvm(inputs: list[Any], build_func: Any = "default") -> Outcome:
    """As TVM's ProgramMeasurer does it: twice as many programs at a time as are built at once."""
    cores = os.cpu_count() or 1
    builder = auto_scheduler.LocalBuilder(n_parallel=cores, build_func=build_func)
    runner = auto_scheduler.LocalRunner(number=TIMING.number, repeat=TIMING.repeat, min_repeat_ms=TIMING.min_repeat_ms)
    begun = time.monotonic()
    costs = []
    for start in range(0, len(inputs), 2 * cores):
        batch = inputs[start : start + 2 * cores]
        results = runner.run(batch, builder.build(batch, 0), 0)
        costs += [statistics.fmean(float(cost) for cost in result.costs) for result in results]
    return Outcome(time.monotonic() - begun, costs)


def programs_of(inputs: list[Any]) -> list[AnsorProgram]:
    return [AnsorProgram(one) for one in inputs]


def kinds(target: str, only: str | None) -> dict[str, Any]:
    """The first task of each kind, by what it computes: the words before the shapes."""
    cache = Path(os.environ.get("FAMILYSEER_HOME", ".familyseer")) / "cache"
    found: dict[str, Any] = {}
    for task in extract("mobilenetv2_0.5", 1, "NHWC", parse_target(target), cache).tasks:
        words = task_words(task.compute_dag).split()
        kind = " ".join(word for word in words[:2] if word[0].isalpha() or word in ("1x1", "3x3"))
        found.setdefault(kind, task)
    return {kind: task for kind, task in found.items() if only is None or only in kind}


def sampled(task: Any, seed: int, count: int) -> tuple[list[Any], list[Any]]:
    """Random programs, and programs evolved by a model that learnt from the random ones' times."""
    model = auto_scheduler.XGBModel(num_warmup_sample=1, verbose_eval=0)
    policy = auto_scheduler.SketchPolicy(task, model, params=SEARCH, seed=seed, verbose=0)
    population = list(policy.sample_initial_population())
    states = [task.compute_dag.infer_bound_from_state(state).state_object for state in population[:count]]
    random = [auto_scheduler.MeasureInput(task, state) for state in states]
    engine = Engine(EngineSettings(), preload=PRELOAD)
    futures = [engine.submit(AnsorProgram(one), TIMING) for one in random]
    model.update(random, [measure_result(future.result()) for future in futures])
    engine.close()
    evolved = policy.evolutionary_search(population, count)
    return random, [auto_scheduler.MeasureInput(task, state) for state in evolved]


def compare(arguments: argparse.Namespace) -> None:
    target = "cuda" if arguments.gpu else "llvm"
    marker = Path(tempfile.mkdtemp()) / "slow-build"
    tvm_slow = slow_build(tar.tar, marker)
    ours_slow = slow_build(tar.tar if arguments.gpu else link_here, marker)
    plain = Engine(EngineSettings(), preload=PRELOAD)
    early = Engine(EngineSettings(adaptive_build_timeout=True, worse_ratio=WORSE_RATIO), preload=PRELOAD)
    slow = Engine(
        EngineSettings(adaptive_build_timeout=True, worse_ratio=WORSE_RATIO, build_func=ours_slow), preload=PRELOAD
    )

    ratios: dict[str, list[float]] = defaultdict(list)
    totals: dict[str, float] = defaultdict(float)
    agreement: list[float] = []
    for kind, task in kinds(target, arguments.kind).items():
        random, evolved = sampled(task, 0, arguments.programs or PROGRAMS)
        for repeat in range(arguments.repeats):
            for name, inputs in (("random", random), ("evolved", evolved)):
                sides: list[Callable[[], Outcome]] = [
                    lambda inputs=inputs: by_tvm(inputs),
                    lambda inputs=inputs: by_engine(plain, programs_of(inputs), TIMING, FAILED_COST),
                    lambda inputs=inputs: by_engine(early, programs_of(inputs), TIMING, FAILED_COST),
                ]
                order = range(3) if repeat % 2 == 0 else reversed(range(3))
                done = {index: sides[index]() for index in order}
                tvm, ours, ended = done[0], done[1], done[2]
                both = [a / b for a, b in zip(ours.costs, tvm.costs) if max(a, b) < FAILED_COST]
                if not both:
                    print(f"{kind}, {name}: no program runs, with TVM's builder and runner nor with ours", flush=True)
                    continue
                agreement += both
                ratios["same timing"].append(tvm.seconds / ours.seconds)
                ratios["early ending"].append(tvm.seconds / ended.seconds)
                ratios["over the floor"].append(ours.seconds / ours.floor)
                ratios["over the floor, early ending"].append(ended.seconds / ended.floor)
                for side, outcome in (("TVM", tvm), ("ours", ours), ("early ending", ended)):
                    totals[side] += outcome.seconds
                times = statistics.median(both)
                print(
                    f"{kind}, {name}: TVM {tvm.seconds:.1f} s, ours {ours.seconds:.1f} s (floor {ours.floor:.1f}), "
                    f"early ending {ended.seconds:.1f} s (floor {ended.floor:.1f}); times ours/TVM {times:.3f}",
                    flush=True,
                )
            if not both:
                continue
            marker.unlink(missing_ok=True)
            theirs = by_tvm(random, tvm_slow).seconds
            marker.unlink(missing_ok=True)
            ours_seconds = by_engine(slow, programs_of(random), TIMING, FAILED_COST).seconds
            ratios["one slow build"].append(theirs / ours_seconds)
            print(f"{kind}, one slow build: TVM {theirs:.1f} s, ours {ours_seconds:.1f} s", flush=True)
    for engine in (plain, early, slow):
        engine.close()

    quartiles = statistics.quantiles(agreement, n=4)
    print(f"\ntimes, ours over TVM's: median {quartiles[1]:.3f} (quartiles {quartiles[0]:.3f}, {quartiles[2]:.3f})")
    for name in ("over the floor", "over the floor, early ending"):
        show(f"seconds {name}", ratios[name])
    show("programs per second with one slow build in sixteen, ours over TVM's", ratios["one slow build"])
    show("programs per second, same timing, ours over TVM's", ratios["same timing"])
    print(f"  of all together: {totals['TVM'] / totals['ours']:.3f}")
    show("programs per second, early ending, ours over TVM's", ratios["early ending"])
    print(f"programs per second, early ending, of all together: {totals['TVM'] / totals['early ending']:.3f}")
