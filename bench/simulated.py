"""How the simulated GPU ranks programs that were measured on a real V100: the best of each task, as published.

Per kind of task: Spearman's rank correlation of simulated and measured seconds, and the share of pairs, at least 5 %
apart, that have the right order; beside it the same by the task's FLOPs alone, which tells tasks apart but no programs.
The constants were fitted on the networks named first. With `--random N`: above which share of N random programs of its
own task the simulation puts a published one, which a search of about 900 programs found to be the fastest.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tvm
from familyseer.ansor.core_operation import core_operation
from familyseer.ansor.programs import AnsorProgram
from familyseer.ansor.target import parse_target
from familyseer.ansor.tasks import extract
from familyseer.experiments.published import PublishedProgram, published_programs
from familyseer.simulated.gpu import InvalidProgramError, simulated_seconds
from scipy.stats import spearmanr
from tvm import auto_scheduler
from tvm.auto_scheduler.loop_state import StateObject

FITTED_ON = ("mobilenetv2_0.5", "bert_large")
HELD_OUT = ("mobilenet0.5", "resnet50_v1", "gpt2", "vit_huge")
TARGET = "cuda -arch=sm_70"
FEWEST = 6
APART = 1.05


@dataclass(frozen=True)
class Row:
    program: PublishedProgram
    kind: str
    simulated: float
    above: float | None


def rows_of(network: str, random: int, cache: Path) -> list[Row]:
    tasks = extract(network, 1, "NHWC", parse_target(TARGET), cache).tasks
    programs, count = published_programs(network, tasks)
    begun = time.perf_counter()
    simulated = [simulated_or_none(program.task, program.state) for program in programs]
    each = (time.perf_counter() - begun) / max(1, len(programs))
    print(
        f"{network}: {len(programs)} of {count} records replayed, of which TVM of today finds {simulated.count(None)} "
        f"invalid; {1000 * each:.0f} ms to simulate one",
        flush=True,
    )
    others: dict[str, list[float]] = {}
    rows = []
    for program, seconds in zip(programs, simulated):
        if seconds is None:
            continue
        key = program.task.workload_key
        if random and key not in others:
            others[key] = random_seconds(program.task, random)
        above = float(np.mean(seconds < np.array(others[key]))) if random and others[key] else None
        kind = (core_operation(program.task.compute_dag) or "none").removeprefix("nn.")
        rows.append(Row(program, kind, seconds, above))
    return rows


def simulated_or_none(task: auto_scheduler.SearchTask, state: StateObject) -> float | None:
    try:
        return simulated_seconds(AnsorProgram(auto_scheduler.MeasureInput(task, state)))
    except InvalidProgramError:
        return None


def random_seconds(task: auto_scheduler.SearchTask, count: int) -> list[float]:
    """Of valid random programs."""
    parameters = {"sample_init_min_population": count, "evolutionary_search_population": 4 * count}
    policy = auto_scheduler.SketchPolicy(task, auto_scheduler.RandomModel(), params=parameters, seed=0, verbose=0)
    states = list(policy.sample_initial_population())[:count]
    found = [simulated_or_none(task, task.compute_dag.infer_bound_from_state(state).state_object) for state in states]
    return [seconds for seconds in found if seconds is not None]


def figures(measured: np.ndarray, guessed: np.ndarray) -> str:
    first, second = np.triu_indices(len(measured), 1)
    apart = np.abs(np.log(measured[first] / measured[second])) > np.log(APART)
    right = ((measured[first] > measured[second]) == (guessed[first] > guessed[second]))[apart]
    # All FLOPs may be equal, or all times alike: then there is nothing to rank.
    correlation = f"{spearmanr(measured, guessed)[0]:.2f}" if min(np.ptp(measured), np.ptp(guessed)) > 0 else "-"
    return f"{correlation} | {right.mean():.2f}" if len(right) else f"{correlation} | -"


def show(title: str, rows: list[Row]) -> None:
    print(f"\n{title}\n")
    print("| kind | programs | rank correlation | pairs right | by FLOPs: correlation | pairs | simulated / measured |")
    print("|---|---|---|---|---|---|---|")
    for kind in [*sorted({row.kind for row in rows}), "all"]:
        of_kind = [row for row in rows if kind in (row.kind, "all")]
        if len(of_kind) < FEWEST:
            continue
        measured = np.array([row.program.seconds for row in of_kind])
        simulated = np.array([row.simulated for row in of_kind])
        flops = np.array([float(row.program.task.compute_dag.flop_ct) for row in of_kind])
        low, middle, high = np.percentile(simulated / measured, [10, 50, 90])
        print(
            f"| {kind} | {len(of_kind)} | {figures(measured, simulated)} | {figures(measured, flops)} "
            f"| {middle:.2f} ({low:.2f} to {high:.2f}) |"
        )
    above = [row.above for row in rows if row.above is not None]
    if above:
        low, middle = np.percentile(above, [10, 50])
        print(f"\nFaster than {100 * middle:.0f} % of its task's random programs (median; 10 %: {100 * low:.0f})")
    pairs = same_task_pairs(rows)
    if pairs:
        print(f"Of {len(pairs)} pairs of one task, 5 % apart, in the right order: {sum(pairs)}.")


def same_task_pairs(rows: list[Row]) -> list[bool]:
    by_task: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        by_task.setdefault((row.program.task.workload_key, id(row.program.task)), []).append(row)
    pairs = []
    for found in by_task.values():
        if len(found) == 2:
            (a, b), ratio = found, found[0].program.seconds / found[1].program.seconds
            if abs(np.log(ratio)) > np.log(APART):
                pairs.append((a.simulated > b.simulated) == (ratio > 1))
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, default=0, help="random programs of each task to compare with")
    parser.add_argument("--networks", nargs="*", default=[*FITTED_ON, *HELD_OUT])
    options = parser.parse_args()
    cache = Path(os.environ.get("FAMILYSEER_HOME", ".familyseer")) / "cache"
    print(f"TVM {tvm.__version__}")
    rows = {network: rows_of(network, options.random, cache) for network in options.networks}
    for title, chosen in (("Fitted on", FITTED_ON), ("Held out", HELD_OUT)):
        found = [row for network in chosen for row in rows.get(network, [])]
        if found:
            show(f"{title}: {', '.join(network for network in chosen if network in rows)}", found)


if __name__ == "__main__":
    main()
