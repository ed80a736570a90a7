"""The curves of bench:time-to-latency: what a run believed, when, and how that compares."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from time_to_latency.curves import Curve, Measured, Point, curve, improvements, needed, ratios, reached, without
from time_to_latency.judge import outcomes_by_own_times
from time_to_latency.report import Outcome, lines
from time_to_latency.retime import Session
from time_to_latency.runs import Run, RunError, read_run

# Programs of two tasks; "lucky" was timed at 1 s by its run.
RUN = [
    Measured(0, "slow", 9.0, 1.0),
    Measured(0, "broken", None, 2.0),
    Measured(0, "good", 4.0, 3.0),
    Measured(1, "only", 2.0, 4.0),
    Measured(0, "worse", 5.0, 5.0),
    Measured(0, "lucky", 1.0, 6.0),
    Measured(0, "best", 3.0, 7.0),
]
COSTS = {"slow": 9.0, "good": 4.0, "only": 2.0, "lucky": 6.0, "best": 3.0}
WEIGHTS = {0: 2.0, 1: 1.0}


def latencies(run: list[Measured], costs: dict[str, float]) -> list[tuple[float, int, float]]:
    made = curve(improvements(run), WEIGHTS, costs, 10.0, len(run))
    return [(point.seconds, point.programs, point.latency) for point in made.points]


def made_of(*points: tuple[float, int, float], seconds: float = 100.0, programs: int = 100) -> Curve:
    return Curve(tuple(Point(*point) for point in points), seconds, programs)


def test_only_programs_that_were_their_tasks_best_when_measured_are_improvements() -> None:
    found = [(one.program, one.programs) for one in improvements(RUN)]
    assert found == [("slow", 1), ("good", 3), ("only", 4), ("lucky", 6)]


def test_a_curve_begins_when_every_task_has_a_program_and_counts_failed_ones() -> None:
    assert latencies(RUN, COSTS)[0] == (4.0, 4, 2 * 4.0 + 2.0)


def test_a_lucky_timing_hurts_the_run_that_believed_it() -> None:
    assert latencies(RUN, COSTS)[1:] == [(6.0, 6, 2 * 6.0 + 2.0)]


def test_what_was_overtaken_before_the_curve_begins_need_not_be_timed() -> None:
    assert needed(improvements(RUN), WEIGHTS) == {"good", "only", "lucky"}


def test_by_its_own_times_a_side_has_what_it_measured_itself() -> None:
    other = [Measured(0, "good", 5.0, 1.0), Measured(1, "only", 1.0, 2.0)]
    runs = {"tvm": Run(RUN, {}, 10.0, ""), "other": Run(other, {}, 3.0, "")}
    outcomes, left_out = outcomes_by_own_times(runs, WEIGHTS | {2: 1.0}, seed=0)
    assert [point.latency for point in outcomes["tvm"].curve.points] == [2 * 4.0 + 2.0, 2 * 1.0 + 2.0]
    assert outcomes["other"].curve.end == 2 * 5.0 + 1.0
    assert left_out == [2]


def test_of_a_program_that_fails_when_timed_again_the_best_before_it_remains() -> None:
    found = without(improvements(RUN), {"good"})
    assert needed(found, WEIGHTS) == {"slow", "only", "lucky"}


def test_a_run_without_a_program_of_some_task_has_no_latency() -> None:
    made = curve(improvements(RUN[:3]), WEIGHTS, COSTS, 3.0, 3)
    assert made.end == made.at(3.0) == math.inf
    assert needed(improvements(RUN[:3]), WEIGHTS) == set()


def test_the_latency_at_a_moment_is_that_of_the_last_point_before() -> None:
    made = made_of((4.0, 4, 3.0), (6.0, 6, 2.0))
    assert [made.at(seconds) for seconds in (3.9, 4.0, 5.9, 99.0)] == [math.inf, 3.0, 3.0, 2.0]


def test_a_curve_that_rises_again_is_within_for_good_only_later() -> None:
    tvm = made_of((10.0, 10, 2.0), (80.0, 80, 1.0))
    found = reached(made_of((5.0, 5, 1.0), (6.0, 6, 1.5), (7.0, 7, 1.01)), tvm, 1)
    assert found.first and found.for_good
    assert (found.first.seconds, found.for_good.seconds) == (5.0, 7.0)


def test_ratios_are_to_tvms_own_time_to_there_and_to_its_whole_run() -> None:
    tvm = made_of((10.0, 20, 1.004), (80.0, 80, 1.0))
    own, ours = reached(tvm, tvm, 1).first, reached(made_of((5.0, 4, 0.9)), tvm, 1).first
    assert own
    assert list(vars(ratios(ours, own, tvm)).values()) == [0.5, 0.2, 0.05, 0.04]


def test_tvm_itself_reaches_its_end() -> None:
    tvm = made_of((10.0, 20, 0.3), (80.0, 80, 0.1 + 0.2))
    found = reached(tvm, tvm, 0)
    assert found.first and found.for_good


@pytest.mark.parametrize(
    ("ends", "figure"),
    [
        ([1.0, 1.0, 2.0], "0.100 of TVM's (median of 3 seeds, min 0.100, max never)"),
        ([1.0, 2.0, 2.0], "never of TVM's (median of 3 seeds, min 0.100, max never)"),
        ([1.0], "0.100 of TVM's (median of 1 seed, min 0.100, max 0.100)"),
    ],
)
def test_what_was_never_reached_counts_in_the_median_and_is_said(ends: list[float], figure: str) -> None:
    tvm = Outcome(made_of((50.0, 50, 1.0)), 0)
    outcomes = {seed: {"tvm": tvm, "fast": Outcome(made_of((5.0, 5, end)), 1)} for seed, end in enumerate(ends)}
    assert lines(outcomes, ["tvm", "fast"], "fast")[-1] == f"wall-clock time to within 1 % of TVM's end: {figure}"


def test_a_side_that_has_no_latency_at_all_is_reported() -> None:
    outcomes = {0: {"tvm": Outcome(made_of((50.0, 50, 1.0)), 0), "fast": Outcome(made_of(), 100)}}
    text = "\n".join(lines(outcomes, ["tvm", "fast"], "fast"))
    assert "seed 0, fast: ends with no latency" in text


def record(key: str, step: int, cost: float, error_no: int = 0) -> str:
    return json.dumps({"i": [[key, "llvm"], [[], [["SP", step]]]], "r": [[cost], error_no, 0.1, 0]})


def write_run(folder: Path, records: list[str], seconds: list[float]) -> None:
    (folder / "records.json").write_text("".join(f"{line}\n" for line in records))
    (folder / "seconds.json").write_text(json.dumps({"seconds": seconds, "end": 9.0}))


def test_a_run_is_read_with_equal_programs_as_one_and_times_in_order(tmp_path: Path) -> None:
    write_run(tmp_path, [record("a", 1, 0.5), record("b", 1, 1e10, 2), record("a", 1, 0.4)], [2.0, 1.5, 3.0])
    run = read_run(tmp_path, {"a": 0, "b": 7})
    assert [(one.task, one.cost, one.seconds) for one in run.measured] == [(0, 0.5, 2.0), (7, None, 2.0), (0, 0.4, 3.0)]
    assert run.measured[0].program == run.measured[2].program != run.measured[1].program
    assert run.failures == 1


def test_a_run_with_a_record_too_many_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path, [record("a", 1, 0.5)], [])
    with pytest.raises(RunError, match="1 records and the times of 0"):
        read_run(tmp_path, {"a": 0})


def test_of_two_passes_the_smaller_median_counts_and_failing_once_is_not_failing(tmp_path: Path) -> None:
    passes = [
        {"a": [2.0, 1.0, 9.0], "b": None, "c": None, "half": [1.0]},
        {"a": [3.0, 1.5, 1.0], "b": [4.0], "c": None},
    ]
    assert Session(tmp_path / "times.json", {}, passes).costs() == {"a": 1.5, "b": 4.0, "c": None}


def test_only_runs_that_were_timed_together_are_compared(tmp_path: Path) -> None:
    session = Session.open(tmp_path / "times.json", {"tvm": "1", "fast": "2", "paper": "3"})
    session.passes[0]["a"] = [1.0]
    session.save()
    assert Session.open(session.file, {"tvm": "1", "fast": "2"}).passes == session.passes
    assert Session.open(session.file, {"tvm": "1", "fast": "done again"}).passes == [{}, {}]
    assert Session.open(session.file, {"tvm": "1", "wide": "4"}).passes == [{}, {}]
