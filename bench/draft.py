"""How well the draft ranks measured programs that nothing chose for their speed, per task of a network.

For each task of the log: the rank correlation (Spearman's) of the draft's scores with throughput; in which percentile
of the draft the fastest program is; how many of the fastest tenth are kept when the draft keeps the better half, or
quarter; and how fast the fastest of those kept is, as a share of the fastest of all.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import tvm
from familyseer.ansor.core_operation import task_words
from familyseer.ansor.features import columns
from familyseer.ansor.target import parse_target
from familyseer.ansor.tasks import extract
from familyseer.learning.draft import draft_scores
from tvm import auto_scheduler
from tvm.auto_scheduler.feature import get_per_store_features_from_states

FEWEST = 10
FIGURES = ("rank correlation", "fastest at (%)", "of the fastest tenth: kept in the half (%)", "in the quarter (%)")
FIGURES += ("fastest kept: in the half (%)", "in the quarter (%)")


def read_programs(
    log: Path, tasks: list[auto_scheduler.SearchTask], most: int | None
) -> dict[int, list[tuple[object, float]]]:
    """Of each task of the log, the first `most` programs that ran, and their mean seconds."""
    numbers = {task.workload_key: number for number, task in enumerate(tasks)}
    programs: dict[int, list[tuple[object, float]]] = defaultdict(list)
    for one, result in auto_scheduler.RecordReader(str(log)):
        number = numbers.get(one.task.workload_key)
        if number is not None and result.error_no == 0:
            programs[number].append((one.state, float(np.mean([cost.value for cost in result.costs]))))
    return {number: found[:most] for number, found in sorted(programs.items()) if len(found) >= FEWEST}


def ranks(values: np.ndarray) -> np.ndarray:
    """Equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def figures(scores: np.ndarray, seconds: np.ndarray) -> list[float]:
    """Those of `FIGURES`. Programs of equal score are kept in the order of the log."""
    draft, speed = ranks(scores), ranks(-seconds)
    correlation = float(np.corrcoef(draft, speed)[0, 1]) if draft.std() > 0 else 0.0
    count = len(scores)
    order = np.argsort(-scores, kind="stable")
    fastest = np.argsort(seconds)[: max(1, round(count / 10))]
    place = np.empty(count)
    place[order] = np.arange(count)
    kept = [order[: count // share] for share in (2, 4)]
    recalls = [100 * float(np.isin(fastest, each).mean()) for each in kept]
    best = [100 * seconds.min() / seconds[each].min() for each in kept]
    return [correlation, 100 * (place[fastest[0]] + 1) / count, *recalls, *best]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, required=True, help="TVM's records of the network's tasks")
    parser.add_argument("--network", default="mobilenetv2_0.5")
    parser.add_argument("--target", default="native", help="the target of the log")
    parser.add_argument(
        "--chosen", type=int, default=0, help="tasks that the draft's constants were chosen on come first"
    )
    parser.add_argument(
        "--programs", type=int, help="read so many of each task, the first; later ones were searched for"
    )
    options = parser.parse_args()
    if not options.log.is_file():
        sys.exit(f"There is no file {options.log}. Expected TVM's records of {options.network}.")
    cache = Path(os.environ.get("FAMILYSEER_HOME", ".familyseer")) / "cache"
    tasks = extract(options.network, 1, "NHWC", parse_target(options.target), cache).tasks
    programs = read_programs(options.log, tasks, options.programs)
    if not programs:
        sys.exit(
            f"{options.log} has no task of {options.network} for {options.target} with {FEWEST} programs that ran. "
            "Expected TVM's records of that network and target; name them by --network and --target."
        )
    print(f"TVM {tvm.__version__}; {sum(map(len, programs.values()))} programs of {len(programs)} tasks; per task:")
    print("; ".join(FIGURES))
    rows: dict[str, list[list[float]]] = defaultdict(list)
    drafting = extraction = 0.0
    for number, found in programs.items():
        task, states = tasks[number], [state for state, _ in found]
        begun = time.perf_counter()
        features = get_per_store_features_from_states(states, task)
        extracted = time.perf_counter()
        scores = draft_scores(features, columns(), task.target.kind.name)
        drafting += time.perf_counter() - extracted
        extraction += extracted - begun
        row = figures(scores, np.array([seconds for _, seconds in found]))
        group = "chosen on" if number < options.chosen else "other tasks"
        rows[group].append(row)
        show(f"{number:2} {task_words(task.compute_dag)}, {len(states)} programs", row)
    print(f"seconds: features {extraction:.3f}, draft {drafting:.3f}")
    for group, found_rows in rows.items():
        show(f"mean of {len(found_rows)} {group}", np.mean(found_rows, 0))


def show(name: str, row: list[float] | np.ndarray) -> None:
    print(f"{name}: {row[0]:.2f}; " + "; ".join(f"{figure:.0f}" for figure in row[1:]), flush=True)


if __name__ == "__main__":
    main()
