"""The drop-in decides as TVM's scheduler and as FamilySeer's: on recorded jobs, and beside the real one on new ones."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import tvm
from familyseer.drop_in.task_scheduler import TVM_TASK_SCHEDULER, TaskScheduler
from scripted import run

RECORDED = sorted((Path(__file__).parents[1] / "conformance").glob("*.json"))
KEYS = ("error", "calls", "ties", "trials", "task_cts", "task_best_cts", "dead_tasks", "best_costs", "score")


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_agrees_with_both_references_on_recorded_jobs(file: Path) -> None:
    recorded = json.loads(file.read_text())
    scenario = recorded["scenario"]
    for reference, policy in (("ansor", "sketch.xgb"), ("familyseer", scenario["search_policy"])):
        expected = {key: recorded[reference].get(key) for key in KEYS}
        ours = run(TaskScheduler, scenario, policy)
        if expected["error"] is not None:
            assert ours["error"] is not None
            continue
        expected["dead_tasks"] = sorted(expected["dead_tasks"])
        assert {key: ours[key] for key in KEYS} == expected, reference


def generated(seed: int) -> dict[str, Any]:
    """A job of the kinds that go wrong first: ties, failed programs, exhausted tasks, one task, an early stop."""
    rng = random.Random(seed)
    count = rng.choice([1, 2, 3, 5, 8])
    flops = [rng.choice([0.0, 1e6, 3e6, 1e9]) for _ in range(count)]
    per_round = rng.choice([1, 4, 16])
    equal = rng.random() < 0.3

    def cost(task: int) -> float:
        if rng.random() < 0.15:
            return 1e10
        return 0.01 if equal else round((task + 1) * rng.uniform(0.001, 0.1), 6)

    def rounds(task: int) -> list[list[float]]:
        some = [[cost(task) for _ in range(rng.choice([per_round, per_round, 2]))] for _ in range(12)]
        return [*some[: rng.randint(0, 12)], []] if rng.random() < 0.3 else some

    return {
        "tasks": [
            {
                "desc": f"fused_nn.{rng.choice(['conv2d', 'dense'])}_{task}",
                "workload_key": json.dumps([f"{rng.randrange(3):032x}", task]),
                "flop_ct": flops[task],
                "tags": rng.choice([[], ["conv2d"], ["conv2d"]]),
                "weight": rng.randint(1, 9),
            }
            for task in range(count)
        ],
        "num_measure_trials": rng.choice([count - 1, count, count * per_round, count * per_round * 6 + 1]),
        "num_measures_per_round": per_round,
        "strategy": rng.choice(["gradient", "gradient", "round-robin"]),
        "early_stopping": rng.choice([None, per_round * 2]),
        "per_task_early_stopping": rng.choice([None, per_round * 2]),
        "rounds": [rounds(task) for task in range(count)],
    }


@pytest.mark.skipif(tvm.__version__ != "0.18.0", reason="before 0.18 TVM searches tasks on that no program ran of")
@pytest.mark.parametrize("seed", range(24))
def test_agrees_with_the_real_scheduler_on_new_jobs(seed: int) -> None:
    scenario = generated(seed)
    theirs = run(TVM_TASK_SCHEDULER, scenario, "sketch.xgb")
    ours = run(TaskScheduler, scenario, "sketch.xgb", ready=seed % 2 == 0)
    if theirs["error"] is not None:
        assert ours["error"] is not None
        return
    assert ours == theirs
