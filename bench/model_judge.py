"""How well each way of judging a cost model tells one that has learnt from one that cannot have: the records of a job
of the fast mode are learnt again, round by round, by a model, and by one that is told other programs' costs.

A judgement is taken of a round's programs before they are learnt. Per judgement: its mean over the rounds of either
model, their distance in standard deviations, and how often the one that learnt is ahead once a round counts a quarter
of what is known of its family (as in src/core/fast/family-outlook.ts), by how many records it had learnt. A quarter of
the records is never learnt: of their pairs, how many each model has in order.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tvm
from familyseer.ansor import features
from familyseer.ansor.target import parse_target
from familyseer.ansor.tasks import extract
from familyseer.learning.cost_model import BoundedModel
from tvm import auto_scheduler

WARM_UP = 8
NEWEST = 0.25
KEPT_OUT = 4
FEWEST_KEPT_OUT = 6
PREDICTIONS = 48
BEST = 16
RECORDS = ((WARM_UP, 64), (64, 256), (256, 10**9))


@dataclass(frozen=True)
class Programs:
    """A log's programs: features, seconds (inf: failed) and tasks; each round's, and the family of each task."""

    features: list[np.ndarray]
    seconds: np.ndarray
    tasks: np.ndarray
    rounds: list[tuple[int, list[int]]]
    families: dict[int, str]


@dataclass
class Judged:
    """A round's judgements, how many records the model had learnt, and its order of what is kept out."""

    family: str
    records: int
    shares: dict[str, float] = field(default_factory=dict)
    kept_out: float | None = None


def read(log: Path, network: str, target: str) -> Programs:
    cache = Path(os.environ.get("FAMILYSEER_HOME", ".familyseer")) / "cache"
    tasks = extract(network, 1, "NHWC", parse_target(target), cache).tasks
    numbers = {task.workload_key: number for number, task in enumerate(tasks)}
    inputs, results = zip(*auto_scheduler.RecordReader(str(log)))
    seconds = [np.mean([c.value for c in each.costs]) if each.error_no == 0 else np.inf for each in results]
    rounds: list[tuple[int, list[int]]] = []
    families: dict[int, str] = {}
    begin = 0
    for line in Path(f"{log}.journal.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["type"] == "started":
            families = {task["id"]: task["family"] for task in entry["tasks"]}
        elif entry["type"] == "round-finished":
            end = begin + len(entry["costs"])
            rounds.append((entry["round"]["task"], list(range(begin, end))))
            begin = end
    of_tasks = np.array([numbers[each.task.workload_key] for each in inputs])
    return Programs(features.of_records(inputs, results), np.array(seconds), of_tasks, rounds, families)


def in_order(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Of scores and seconds of two lists of programs: 1 for each pair in order, 0.5 for a tie, 0 otherwise."""
    scores, seconds = (np.sign(np.subtract.outer(a, b)) for a, b in zip(first, second))
    return (1 - scores * seconds) / 2


def within(scores: np.ndarray, seconds: np.ndarray) -> float:
    pairs = in_order((scores, seconds), (scores, seconds))
    return float(pairs[np.triu_indices(len(scores), 1)].mean())


def judgements(
    new: tuple[np.ndarray, np.ndarray], earlier: tuple[np.ndarray, np.ndarray], predicted: list[tuple[float, float]]
) -> dict[str, float]:
    """Of scores and seconds of a round's programs and of the task's earlier ones, and of the seconds that programs were
    predicted to take when they were new, with those they took."""
    shares = {}
    scores, seconds = new
    if len(scores) > 1:
        shares["pairs of the round"] = within(scores, seconds)
    if len(scores) and len(earlier[0]):
        pairs = in_order(new, earlier)
        shares["with earlier ones"] = float(pairs.mean())
        best = np.argsort(earlier[1])[:BEST]
        shares[f"with the {BEST} best earlier ones"] = float(pairs[:, best].mean())
        faster = seconds[:, None] < earlier[1][None]
        if faster.any() and not faster.all():
            shares["with earlier ones, faster and slower alike"] = float(
                (pairs[faster].mean() + pairs[~faster].mean()) / 2
            )
        shares["best over the favourite (regret)"] = float(seconds.min() / seconds[np.argmax(scores)])
    if len(scores) and predicted:
        before = np.array(predicted[-PREDICTIONS:]).T
        now = predictions(scores, seconds, earlier[1])
        shares["predictions when new"] = float(in_order((-now, seconds), (-before[0], before[1])).mean())
    return shares


def predictions(scores: np.ndarray, seconds: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """A score is a throughput relative to the task's best."""
    return (earlier.min() if len(earlier) else seconds.min()) / np.maximum(scores, 1e-3)


def replay(programs: Programs, teaches: bool) -> list[Judged]:
    """With `teaches` the model learns what programs took, else what any program of their task did."""
    random = np.random.default_rng(0)
    kept_out = random.random(len(programs.seconds)) < 1 / KEPT_OUT
    ran = np.isfinite(programs.seconds)
    models: dict[str, BoundedModel] = defaultdict(lambda: BoundedModel(WARM_UP))
    records: dict[str, int] = defaultdict(int)
    learnt: dict[int, list[int]] = defaultdict(list)
    predicted: dict[int, list[tuple[float, float]]] = defaultdict(list)
    judged = []
    for task, members in programs.rounds:
        family = programs.families[task]
        model = models[family]
        new = [index for index in members if not kept_out[index]]

        def scored(indices: list[int], model: BoundedModel = model) -> tuple[np.ndarray, np.ndarray]:
            found = model.scores([programs.features[index] for index in indices]) if indices else np.empty(0)
            return found, programs.seconds[indices]

        if records[family] > WARM_UP and model.bst is not None:
            both = scored([index for index in new if ran[index]])
            earlier = scored([index for index in learnt[task] if ran[index]])
            row = Judged(family, records[family], judgements(both, earlier, predicted[task]))
            if len(both[0]):
                predicted[task] += zip(predictions(*both, earlier[1]), both[1])
            others = [int(index) for index in np.flatnonzero(kept_out & ran & (programs.tasks == task))]
            if len(others) >= FEWEST_KEPT_OUT:
                row.kept_out = within(*scored(others))
            judged.append(row)
        of_task = programs.seconds[programs.tasks == task]
        taught = programs.seconds[new] if teaches else random.choice(of_task, len(new))
        model.learn([programs.features[index] for index in new], list(map(float, taught)), [task] * len(new))
        records[family] += len(new)
        learnt[task] += new
    return judged


def lasting(judged: list[Judged], name: str) -> np.ndarray:
    """What is known of the family after each round."""
    known: dict[str, float] = defaultdict(lambda: 0.5)
    after = []
    for row in judged:
        if name in row.shares:
            known[row.family] += NEWEST * (row.shares[name] - known[row.family])
        after.append(known[row.family])
    return np.array(after)


def show(name: str, learnt: list[Judged], taught_nothing: list[Judged]) -> None:
    each = [np.array([row.shares[name] for row in rows if name in row.shares]) for rows in (learnt, taught_nothing)]
    apart = (each[0].mean() - each[1].mean()) / np.sqrt((each[0].var() + each[1].var()) / 2)
    figures = []
    for least, below in RECORDS:
        ones, others = (
            lasting(rows, name)[[least <= row.records < below for row in rows]] for rows in (learnt, taught_nothing)
        )
        ahead = np.subtract.outer(ones, others)
        figures.append(f"{np.median(ones):.2f} {np.median(others):.2f} {100 * np.mean((1 + np.sign(ahead)) / 2):.0f} %")
    print(f"{name} | {each[0].mean():.3f} | {each[1].mean():.3f} | {apart:.2f} | {' | '.join(figures)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, required=True, help="records of a job of the fast mode, its journal beside")
    parser.add_argument("--network", default="mobilenetv2_0.5")
    parser.add_argument("--target", default="native", help="the target of the log")
    options = parser.parse_args()
    programs = read(options.log, options.network, options.target)
    print(f"TVM {tvm.__version__}; {len(programs.seconds)} programs, {len(programs.rounds)} rounds")
    learnt, taught_nothing = (replay(programs, teaches) for teaches in (True, False))
    of_kept_out = [
        np.mean([row.kept_out for row in rows if row.kept_out is not None]) for rows in (learnt, taught_nothing)
    ]
    print(f"pairs of what is kept out in order: {of_kept_out[0]:.3f}, taught nothing {of_kept_out[1]:.3f}")
    ranges = ", ".join(f"from {least} records on" for least, _ in RECORDS)
    print(f"judgement | mean | taught nothing | apart | medians, and ahead, {ranges}")
    for name in sorted({name for row in learnt for name in row.shares}):
        show(name, learnt, taught_nothing)


if __name__ == "__main__":
    main()
