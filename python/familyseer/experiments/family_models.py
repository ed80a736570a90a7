"""How well one cost model for each family, one for all tasks and one for each task rank programs they have not seen.

Of each task's measured programs half are held out. Models learn from growing shares of the others, the same for all.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import auto_scheduler
from tvm.auto_scheduler.feature import get_per_store_features_from_measure_pairs

from ..ansor.core_operation import core_operation
from ..ansor.target import parse_target
from ..ansor.tasks import extract
from ..learning.cost_model import BoundedModel
from .training import Programs

SHARES = (0.25, 0.5, 1.0)
FASTEST = 0.25


def read(log: Path, tasks: list[auto_scheduler.SearchTask]) -> Programs:
    """The programs of a log that ran, with their features."""
    by_key = {task.workload_key: task for task in tasks}
    inputs, seconds = [], []
    for one, result in auto_scheduler.RecordReader(str(log)):
        if result.error_no == 0 and one.task.workload_key in by_key:
            inputs.append(auto_scheduler.MeasureInput(by_key[one.task.workload_key], one.state))
            seconds.append(float(np.mean([cost.value for cost in result.costs])))
    results = [auto_scheduler.MeasureResult([each], 0, "", 0, 0) for each in seconds]
    features = get_per_store_features_from_measure_pairs(inputs, results)[0]
    return Programs(inputs, np.array(seconds), [np.asarray(rows, dtype=np.float32) for rows in features])


def split(programs: Programs, seed: int) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Of each task, by workload key, the indices of what models may learn from, and of what is held out."""
    of_task = defaultdict(list)
    for index, one in enumerate(programs.inputs):
        of_task[one.task.workload_key].append(index)
    shuffle = np.random.default_rng(seed)
    shuffled = {key: shuffle.permutation(indices) for key, indices in of_task.items()}
    half = {key: len(indices) // 2 for key, indices in shuffled.items()}
    learnt = {key: indices[half[key] :] for key, indices in shuffled.items()}
    return learnt, {key: indices[: half[key]] for key, indices in shuffled.items()}


def groups(tasks: list[auto_scheduler.SearchTask]) -> dict[str, dict[str, str]]:
    """The group of each task, by workload key, for each way of sharing models."""
    return {
        "op": {task.workload_key: str(core_operation(task.compute_dag)) for task in tasks},
        "hash": {task.workload_key: json.loads(task.workload_key)[0] for task in tasks},
        "shared": {task.workload_key: "shared" for task in tasks},
        "ind": {task.workload_key: task.workload_key for task in tasks},
    }


def scores(
    programs: Programs,
    learnt: dict[str, NDArray[Any]],
    held_out: dict[str, NDArray[Any]],
    group: dict[str, str],
    seed: int,
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Of each task's held-out programs the scores by its group's model, and the seconds."""
    for name in sorted(set(group.values())):
        keys = [key for key in held_out if group[key] == name]
        if not keys:
            continue
        records = programs.chosen(np.concatenate([learnt[key] for key in keys]))
        model = BoundedModel(0, seed)
        model.learn(records.features, list(records.seconds), records.keys())
        for key in keys:
            unseen = programs.chosen(held_out[key])
            yield model.scores(unseen.features), unseen.seconds


def ranking(scored: list[tuple[NDArray[Any], NDArray[Any]]]) -> tuple[float, float]:
    """The share of the pairs of a task that are in order, a tie by half, and of each task's fastest that are found."""
    right = pairs = 0.0
    found = []
    for given, seconds in scored:
        first, second = np.triu_indices(len(seconds), 1)
        ordered = np.sign(given[first] - given[second]) * np.sign(seconds[second] - seconds[first])
        right += (ordered > 0).sum() + 0.5 * (ordered == 0).sum()
        pairs += len(first)
        count = max(1, round(FASTEST * len(seconds)))
        found.append(len(set(np.argsort(-given)[:count]) & set(np.argsort(seconds)[:count])) / count)
    return right / pairs, float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--network", required=True)
    parser.add_argument("--target", default="native")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    cache = Path(os.environ["FAMILYSEER_HOME"]) / "cache"
    tasks = extract(arguments.network, 1, "NHWC", parse_target(arguments.target), cache).tasks
    programs = read(arguments.log, tasks)
    learnt, held_out = split(programs, arguments.seed)
    # A pair is needed to rank.
    held_out = {key: indices for key, indices in held_out.items() if len(indices) > 1}
    rankings = []
    for share in SHARES:
        some = {key: indices[: max(1, round(share * len(indices)))] for key, indices in learnt.items()}
        for model, group in groups(tasks).items():
            pairs, recall = ranking(list(scores(programs, some, held_out, group, arguments.seed)))
            count = sum(len(indices) for indices in some.values())
            rankings.append({"model": model, "training_records": count, "pairs": pairs, "recall": recall})
    of_all = {"records": len(programs.inputs), "held_out": sum(len(indices) for indices in held_out.values())}
    arguments.out.write_text(json.dumps({**of_all, "rankings": rankings}))


if __name__ == "__main__":
    main()
