"""MetaSchedule's programs: TVM's builder and runner as they are, with the trap of the intrinsics mended, and ours.

For each kind of task of mobilenetv2_0.5: a round of programs. TVM's builder starts processes for each round, which
import all intrinsics; mended, they load what the target needs. Ours runs with the same timing, and again with early
ending of clearly worse programs.
"""

from __future__ import annotations

import argparse
import functools
import logging
import os
import shutil
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tvm
from familyseer.measuring.engine import Engine, EngineSettings
from familyseer.measuring.run import Timing
from familyseer.metaschedule import intrinsics
from familyseer.metaschedule.programs import ScheduledProgram, preload
from familyseer.metaschedule.target import MetaTarget, parse_target
from familyseer.metaschedule.tasks import ExtractedTask, describe, extract
from tvm.s_tir import meta_schedule as ms

from .outcome import Outcome, by_engine, show

PROGRAMS = 64
WORSE_RATIO = 2.0
# As TVM's builder and runner have them.
BUILD_SECONDS = 30.0
TIMING = Timing(timeout=30)
FAILED = float("inf")
OURS, EARLY, TVM, MENDED = "ours", "early ending", "TVM", "TVM mended"


def by_tvm(builder: Any, runner: Any, target: MetaTarget, candidates: list[Any]) -> Outcome:
    """A round, as TVM's task scheduler does it."""
    begun = time.monotonic()
    built = builder.build([ms.builder.BuilderInput(each.sch.mod, target.tvm) for each in candidates])
    device = "cpu" if target.tvm.kind.name == "llvm" else target.tvm.kind.name
    costs = [FAILED] * len(candidates)
    there = [number for number, each in enumerate(built) if each.error_msg is None]
    futures = runner.run(
        [ms.runner.RunnerInput(built[each].artifact_path, device, candidates[each].args_info) for each in there]
    )
    for number, future in zip(there, futures):
        result = future.result()
        if result.error_msg is None:
            costs[number] = statistics.fmean(map(float, result.run_secs))
    seconds = time.monotonic() - begun
    for number in there:
        shutil.rmtree(Path(str(built[number].artifact_path)).parent, ignore_errors=True)
    return Outcome(seconds, costs)


def kinds(target: MetaTarget, only: str | None) -> dict[str, ExtractedTask]:
    """The first task of each core operation."""
    cache = Path(os.environ.get("FAMILYSEER_HOME", ".familyseer")) / "cache"
    found: dict[str, ExtractedTask] = {}
    for task in extract("mobilenetv2_0.5", 1, "NHWC", target, cache).tasks:
        found.setdefault(describe(task).core_operation or task.name, task)
    chosen = {kind: task for kind, task in found.items() if only is None or only in kind}
    if not chosen:
        raise SystemExit(f"No kind of task has {only} in its name. Expected part of one of {', '.join(found)}.")
    return chosen


def sampled(task: ExtractedTask, target: MetaTarget, count: int) -> list[Any]:
    context = ms.TuneContext(
        mod=task.module,
        target=target.tvm,
        space_generator="post-order-apply",
        search_strategy=ms.search_strategy.EvolutionarySearch(population_size=2 * count, genetic_num_iters=1),
        task_name=task.name,
        rand_state=1,
    )
    spaces = context.generate_design_space()
    context.pre_tuning(count, count, spaces, ms.database.MemoryDatabase(), ms.cost_model.RandomModel())
    return list(context.generate_measure_candidates() or [])


def ran(outcome: Outcome) -> int:
    """How many programs; builds of TVM's that import all intrinsics outlast its time limit on a busy machine."""
    return sum(cost < FAILED for cost in outcome.costs)


def compare(arguments: argparse.Namespace) -> None:
    logging.getLogger("tvm").setLevel(logging.WARNING)
    target = parse_target(
        f"cuda -arch=sm_{tvm.cuda(0).compute_version.replace('.', '')}" if arguments.gpu else "native"
    )
    intrinsics.load(target.tvm)
    load = functools.partial(intrinsics.load, target.tvm)
    runner = ms.runner.LocalRunner()
    theirs = {TVM: ms.builder.LocalBuilder(), MENDED: ms.builder.LocalBuilder(initializer=load)}
    ours = {
        OURS: Engine(EngineSettings(build_timeout=BUILD_SECONDS), preload=preload(target.tvm)),
        EARLY: Engine(
            EngineSettings(build_timeout=BUILD_SECONDS, adaptive_build_timeout=True, worse_ratio=WORSE_RATIO),
            preload=preload(target.tvm),
        ),
    }
    seconds: dict[str, float] = defaultdict(float)
    ratios: dict[str, list[float]] = defaultdict(list)
    agreement: list[float] = []
    for kind, task in kinds(target, arguments.kind).items():
        candidates = sampled(task, target, arguments.programs or PROGRAMS)
        programs = [ScheduledProgram(task.name, kind, each.sch.mod, target) for each in candidates]
        sides: dict[str, Callable[[], Outcome]] = {
            **{name: functools.partial(by_tvm, each, runner, target, candidates) for name, each in theirs.items()},
            **{name: functools.partial(by_engine, each, programs, TIMING, FAILED) for name, each in ours.items()},
        }
        for repeat in range(arguments.repeats):
            order = list(sides) if repeat % 2 == 0 else list(reversed(sides))
            done = {name: sides[name]() for name in order}
            both = [a / b for a, b in zip(done[OURS].costs, done[MENDED].costs) if max(a, b) < FAILED]
            agreement += both
            for name, outcome in done.items():
                seconds[name] += outcome.seconds
                ratios[name].append(outcome.seconds / done[OURS].seconds)
            ratios["floor"].append(done[OURS].seconds / done[OURS].floor)
            print(
                f"{kind}, {len(programs)} programs: "
                + ", ".join(f"{name} {done[name].seconds:.1f} s, {ran(done[name])} ran" for name in sides)
                + f"; floor of ours {done[OURS].floor:.1f} s",
                flush=True,
            )
    for engine in ours.values():
        engine.close()
    if len(agreement) < 2:
        raise SystemExit("No programs ran on both sides.")
    quartiles = statistics.quantiles(agreement, n=4)
    print(f"\ntimes, ours over TVM's: median {quartiles[1]:.3f} (quartiles {quartiles[0]:.3f}, {quartiles[2]:.3f})")
    show("seconds over the floor", ratios["floor"])
    for name in (TVM, MENDED):
        show(f"programs per second, ours over {name}", ratios[name])
        print(f"  of all together: {seconds[name] / seconds[OURS]:.3f}")
    show("programs per second, early ending over ours", [1 / each for each in ratios[EARLY]])
