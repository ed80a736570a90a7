"""MetaSchedule's real task schedulers on scripted jobs, whose programs are neither made nor built nor run.

As a script it writes the traces in test/conformance/metaschedule, one for each seed, or new ones elsewhere:

    python test/python/metaschedule/scripted_jobs.py FOLDER FIRST_SEED LAST_SEED
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import tvm
from tvm import te
from tvm.ir.utils import derived_object
from tvm.s_tir import Schedule
from tvm.s_tir import meta_schedule as ms
from tvm.s_tir.meta_schedule.task_scheduler import gradient_based, round_robin

FAILED = 1e10
TARGET = {"kind": "llvm", "num-cores": 2}


def module() -> Any:
    """A program that is never built."""
    a = te.placeholder((4,), name="A")
    b = te.compute((4,), lambda i: a[i] + 1.0, name="B")
    return tvm.IRModule({"main": te.create_prim_func([a, b]).with_attr("global_symbol", "main")})


class Job:
    """What the scripts of one job share: the programs under way, by the paths that stand for what was built."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self.scenario = scenario
        self.calls: list[list[int]] = []
        self.costs: list[float] = []
        self.schedule = Schedule(module())

    def candidates(self, task: int, asked: int, costs: list[float]) -> list[Any] | None:
        """None, as from a search that is exhausted, where there are none."""
        self.calls.append([task, asked, len(costs)])
        self.costs = costs
        return [ms.MeasureCandidate(self.schedule, []) for _ in costs] or None


@derived_object
class ScriptedSpace(ms.space_generator.PySpaceGenerator):
    def __init__(self) -> None:
        super().__init__()
        self.sch_rules = []
        self.postprocs = []
        self.mutator_probs = {}

    def _initialize_with_tune_context(self, context: Any) -> None:
        pass

    def generate_design_space(self, mod: Any) -> list[Any]:
        return []

    def clone(self) -> Any:
        return ScriptedSpace()


@derived_object
class ScriptedSearch(ms.search_strategy.PySearchStrategy):
    """The k-th round on a task gives the first costs of the scenario's k-th round on it.

    As in TVM's evolutionary search, a round stays within the programs that a task may have in all.
    """

    def __init__(self, job: Job, task: int) -> None:
        super().__init__()
        self.job = job
        self.task = task
        self.rounds = iter(job.scenario["rounds"][task])
        self.measured = 0
        self.limits = (0, 0)

    def _initialize_with_tune_context(self, context: Any) -> None:
        pass

    def pre_tuning(self, max_trials: int, num_trials_per_iter: int, *_: Any) -> None:
        self.limits = (int(max_trials), int(num_trials_per_iter))

    def post_tuning(self) -> None:
        pass

    def generate_measure_candidates(self) -> list[Any] | None:
        most, round_size = self.limits
        asked = min(round_size, most - self.measured)
        if asked <= 0:
            return None
        return self.job.candidates(self.task, asked, next(self.rounds, [])[:asked])

    def notify_runner_results(self, measure_candidates: list[Any], results: list[Any]) -> None:
        self.measured += len(results)

    def clone(self) -> Any:
        raise NotImplementedError


@derived_object
class ScriptedBuilder(ms.builder.PyBuilder):
    """Every second program that fails does so when it is built."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job
        self.failed = 0

    def build(self, build_inputs: list[Any]) -> list[Any]:
        return [self._built(cost) for cost in self.job.costs]

    def _built(self, cost: float) -> Any:
        self.failed += cost >= FAILED
        fails = cost >= FAILED and self.failed % 2 == 0
        return ms.builder.BuilderResult(None if fails else repr(cost), "does not build" if fails else None)


@derived_object
class ScriptedFuture(ms.runner.PyRunnerFuture):
    def __init__(self, cost: float) -> None:
        super().__init__()
        self.cost = cost

    def done(self) -> bool:
        return True

    def result(self) -> Any:
        failed = self.cost >= FAILED
        return ms.runner.RunnerResult(None if failed else [self.cost], "does not run" if failed else None)


@derived_object
class ScriptedRunner(ms.runner.PyRunner):
    def run(self, runner_inputs: list[Any]) -> list[Any]:
        return [ScriptedFuture(float(each.artifact_path)) for each in runner_inputs]


class Picks(logging.Handler):
    """The tasks that a scheduler chose, which it logs."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[int] = []

    def emit(self, record: logging.LogRecord) -> None:
        picked = re.search(r"TaskScheduler picks Task #(\d+)", record.getMessage())
        if picked:
            self.tasks.append(int(picked[1]))


@contextlib.contextmanager
def without_intrinsics() -> Iterator[None]:
    """Each new context imports all intrinsics, which takes longer than all the jobs; these need none."""
    name = "tvm.s_tir.tensor_intrin"
    there = name in sys.modules
    sys.modules.setdefault(name, ModuleType(name))
    try:
        yield
    finally:
        if not there:
            del sys.modules[name]


def scheduler_of(scenario: dict[str, Any]) -> Any:
    if scenario["strategy"] == "round-robin":
        return ms.task_scheduler.RoundRobin()
    return ms.task_scheduler.GradientBased(
        alpha=scenario["alpha"], window_size=scenario["window_size"], seed=scenario["seed"]
    )


def run(scenario: dict[str, Any], make: Callable[[dict[str, Any]], Any] = scheduler_of) -> dict[str, Any]:
    """What TVM's scheduler, or one that `make` gives, decides on a job, and what that comes to."""
    job = Job(scenario)
    with without_intrinsics():
        contexts = [
            ms.TuneContext(
                module(),
                target=tvm.target.Target(TARGET),
                space_generator=ScriptedSpace(),
                search_strategy=ScriptedSearch(job, number),
                task_name=task["desc"],
                num_threads=1,
            )
            for number, task in enumerate(scenario["tasks"])
        ]
    picks = Picks()
    loggers = [gradient_based.logger, round_robin.logger]
    for logger in loggers:
        logger.addHandler(picks)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    try:
        make(scenario).tune(
            contexts,
            [task["weight"] for task in scenario["tasks"]],
            max_trials_global=scenario["num_measure_trials"],
            max_trials_per_task=scenario["max_trials_per_task"] or scenario["num_measure_trials"],
            num_trials_per_iter=scenario["num_measures_per_round"],
            builder=ScriptedBuilder(job),
            runner=ScriptedRunner(),
            measure_callbacks=[],
            database=None,
            cost_model=None,
        )
    finally:
        for logger in loggers:
            logger.removeHandler(picks)
    return trace(scenario, job.calls, picks.tasks)


def trace(scenario: dict[str, Any], calls: list[list[int]], picks: list[int]) -> dict[str, Any]:
    """A task that was chosen and not searched, or searched in vain, is one that TVM terminated."""
    left = [list(rounds) for rounds in scenario["rounds"]]
    best = [FAILED] * len(left)
    rounds = [0] * len(left)
    for task, _, measured in calls:
        best[task] = min([best[task], *(left[task].pop(0) if left[task] else [])[:measured]])
        rounds[task] += measured > 0
    searched = iter(calls)
    dead = set()
    call = next(searched, None)
    for task in picks:
        if call is None or call[0] != task or task in dead:
            dead.add(task)
            continue
        if call[2] == 0:
            dead.add(task)
        call = next(searched, None)
    return {
        "calls": calls,
        "error": None,
        "trials": sum(measured for _, _, measured in calls),
        "task_cts": rounds,
        "dead_tasks": sorted(dead),
        "best_costs": best,
        "score": sum(cost * task["weight"] for cost, task in zip(best, scenario["tasks"])),
    }


def generated(seed: int) -> dict[str, Any]:
    """A random job: ties, programs and whole tasks that fail, exhausted searches, limits for a task or none."""
    rng = random.Random(seed)
    count = rng.choice([1, 2, 3, 5, 8, 13, 20, 40])
    per_round = rng.choice([1, 2, 4, 8])
    equal = rng.random() < 0.25
    failing = {task for task in range(count) if rng.random() < 0.1}
    exhausted = rng.random() < 0.5

    def cost(task: int, turn: int) -> float:
        if task in failing or rng.random() < 0.15:
            return FAILED
        return 0.25 if equal else float(f"{(task + 1) * rng.uniform(0.001, 0.01) / (turn + 1):.4g}")

    def rounds(task: int) -> list[list[float]]:
        length = rng.randint(0, 4) if exhausted and rng.random() < 0.5 else 9
        sizes = [rng.choice([per_round, per_round, per_round, 1]) for _ in range(length)]
        return [[cost(task, turn) for _ in range(size)] for turn, size in enumerate(sizes)]

    trials = rng.choice([count * per_round // 2, count * per_round, count * per_round * 3 + 1, 200, 10**6])
    return {
        "seed": rng.choice([0, 1, 7, 42, 2147483647, rng.randrange(2**31)]),
        "tasks": [
            {
                "desc": f"task {task}",
                "workload_key": str(task),
                "flop_ct": 1.0,
                "tags": [],
                "weight": 1 if equal else rng.randint(1, 9),
            }
            for task in range(count)
        ],
        "num_measure_trials": max(1, trials),
        "max_trials_per_task": rng.choice([None, None, per_round, per_round * 2 + 1]),
        "num_measures_per_round": per_round,
        "strategy": rng.choice(["gradient", "gradient", "gradient", "round-robin"]),
        "search_policy": "meta.xgb",
        "alpha": rng.choice([0.2, 0.2, 0.0, 1.0, 0.7]),
        "window_size": rng.choice([3, 3, 1, 2]),
        "early_stopping": None,
        "per_task_early_stopping": None,
        "rounds": [rounds(task) for task in range(count)],
    }


def main(folder: str, first: str, last: str) -> None:
    for seed in range(int(first), int(last) + 1):
        scenario = generated(seed)
        recorded = {"scenario": scenario, "metaschedule": run(scenario)}
        (Path(folder) / f"{seed:03}.json").write_text(json.dumps(recorded, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
