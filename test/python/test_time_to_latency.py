"""The curves of bench:time-to-latency: what a run believed, when, and how that compares."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from time_to_latency.__main__ import bench
from time_to_latency.curves import (
    Curve,
    Measured,
    Point,
    at_equal_programs,
    curve,
    improvements,
    needed,
    ratios,
    reached,
    without,
)
from time_to_latency.judge import outcomes_by_own_times
from time_to_latency.options import chosen_sets, parse
from time_to_latency.report import Outcome, lines, summary, write
from time_to_latency.retime import Session
from time_to_latency.runs import Run, RunError, read_run
from time_to_latency.sets import TaskSet
from time_to_latency.sides import SIDES, Job, Side, run_familyseer, run_tvm_scheduler
from time_to_latency.study import Study

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


# TVM's end is 1.0 after 100 programs, ours 0.9 after 50.
TVM = Outcome(made_of((10.0, 20, 2.0), (80.0, 80, 1.0)), 0)
OURS = Outcome(made_of((5.0, 10, 2.0), (9.0, 40, 0.9), seconds=10.0, programs=50), 0)


def test_at_equal_programs_latencies_are_compared_only_where_both_measured_so_many() -> None:
    compared = [at_equal_programs(OURS.curve, TVM.curve, programs) for programs in (5, 10, 20, 40, 50, 51)]
    assert compared == [None, 0.0, 1.0, 0.45, 0.45, None]
    assert at_equal_programs(TVM.curve, OURS.curve, 10) == math.inf


def test_the_report_says_how_a_side_is_at_equal_programs_and_which_seed_ends_worse() -> None:
    worse = Outcome(made_of((5.0, 10, 1.5)), 0)
    text = lines({0: {"tvm": TVM, "fast": OURS}, 4: {"tvm": TVM, "fast": worse}}, ["tvm", "fast"], "fast")
    assert "  the same after a quarter of TVM's programs: 0.875 (0.750, 1.000) (2 of 2 got so far)" in text
    assert "  the same after all of TVM's programs: 1.500 (1.500, 1.500) (1 of 2 got so far)" in text
    assert any("by seed 0: 0.900, 4: 1.500; worse than TVM's: seed 4" in line for line in text)


def test_the_peers_measure_is_tvms_seconds_over_ours_to_its_end() -> None:
    text = "\n".join(lines({0: {"tvm": TVM, "fast": OURS}}, ["tvm", "fast"], "fast"))
    assert "to TVM's end: 11.11 (11.11, 11.11) by TVM's whole run, 8.89 (8.89, 8.89) by when TVM was there" in text


def test_where_runs_are_simulated_nothing_is_said_of_how_seconds_compare() -> None:
    text = lines({0: {"tvm": TVM, "fast": OURS}}, ["tvm", "fast"], "fast", timed=False)
    assert text[-1].startswith("programs to within 1 % of TVM's end: 0.500 of TVM's")
    assert not any("seconds" in line for line in text)


def test_the_summary_of_sets_ends_with_the_programs_ratio_and_how_many_never_got_there() -> None:
    never = Outcome(made_of((5.0, 10, 1.5)), 0)
    found = {
        "one": {0: {"tvm": TVM, "fast": OURS}, 1: {"tvm": TVM, "fast": OURS}},
        "other": {0: {"tvm": TVM, "fast": never}},
        "later": {},
    }
    text = summary(found, ["tvm", "fast"], "fast")
    assert text[-1] == (
        "programs to within 1 % of TVM's end: 0.500 of TVM's (median of 3 runs, min 0.500, max never), "
        "1 of 3 never got there"
    )
    assert any(line.split()[:3] == ["later", "fast", "0"] for line in text)
    assert any(line.startswith("other") and line.endswith("seed 0") for line in text)
    assert summary({"later": {}}, ["tvm", "fast"], "fast")[-1].endswith("no run is there")


def test_curves_of_a_run_say_how_it_is_at_each_of_its_counts_of_programs(tmp_path: Path) -> None:
    write(tmp_path, {}, {0: {"tvm": TVM, "fast": OURS}}, [])
    ours = json.loads((tmp_path / "curves.json").read_text())["runs"][1]
    assert ours["over_tvm_at_equal_programs"] == [0.0, 0.45]
    assert (tmp_path / "curves.csv").read_text().splitlines()[-1] == "fast,0,9.0,40,0.9,0.45"


def words_of(*tasks: str) -> list[Any]:
    return [SimpleNamespace(words=task) for task in tasks]


def test_a_set_finds_its_tasks_by_their_words_and_of_equal_ones_that_with_most_weight() -> None:
    chosen = TaskSet("a network", (("a", "a by other means"), ("b",)))
    assert chosen.find(words_of("b", "c", "b", "a by other means"), [1, 9, 3, 1]) == [2, 3]
    with pytest.raises(RunError, match="has no task b for this target"):
        chosen.find(words_of("a"), [1])


def finished(folder: Path, key: str, costs: list[float]) -> None:
    folder.mkdir(parents=True)
    write_run(
        folder, [record(key, step, cost) for step, cost in enumerate(costs)], [1.0 + n for n in range(len(costs))]
    )


def made_study(folder: Path, target: str = "llvm") -> Study:
    description = SimpleNamespace(workload_key="a", words="a task")
    backend = SimpleNamespace(name="ansor", preload=lambda target: ())
    tuned = SimpleNamespace(
        descriptions=[description], network=SimpleNamespace(weights=[2]), backend=backend, target=target
    )
    job = Job("ansor", "a network", target, (0,), 3, folder, None)
    return Study.of("made", folder, ["made"], cast(Any, tuned), [0], job)


def test_what_is_there_is_reported_by_its_own_times_until_a_seed_has_all_its_runs(tmp_path: Path) -> None:
    study = made_study(tmp_path)
    finished(study.folder_of("tvm", 0), "a", [3.0, 2.0])
    finished(study.folder_of("fast", 0), "a", [1.0])
    finished(study.folder_of("tvm", 1), "a", [3.0])
    text, outcomes = study.report([0, 1], ["tvm", "fast", "wide"], own_times=False, settled=False, out=None)
    assert outcomes[0]["fast"].curve.end == 2.0 and list(outcomes) == [0]
    assert "seed 0, not finished: wide" in text
    assert "seed 0, until its other runs are there: by what each side measured itself" in text
    assert "seed 1, left out, not finished: fast, wide" in text
    assert (study.folder / "report" / "report.txt").read_text().splitlines() == text


def test_a_finished_run_is_not_done_again_and_one_that_failed_is_begun_anew(tmp_path: Path) -> None:
    study, done = made_study(tmp_path), []

    def tune(arguments: list[str], job: Job, seed: int, most_seconds: float | None, folder: Path) -> None:
        assert not (folder / "records.json").exists()
        write_run(folder, [record("a", 1, 1.0)], [1.0])
        if not done:
            (folder / "seconds.json").unlink()
        done.append(seed)
        if len(done) == 1:
            raise RunError("killed")

    side = Side(["--mode", "fast"], tune)
    with pytest.raises(RunError, match="killed"):
        study.run("fast", side, 5)
    assert [study.run("fast", side, 5), study.run("fast", side, 5)] == [True, False]
    assert done == [5, 5]


def test_a_finished_run_is_not_taken_for_one_of_another_side_of_its_name(tmp_path: Path) -> None:
    study = made_study(tmp_path)
    study.run("wide", Side(["--population", "512"], lambda *run: finished_in(run[-1])), 0)
    study.check({"wide": Side(["--population", "512"], run_familyseer)}, [0, 1])
    with pytest.raises(RunError, match="was of --population 512, and now this side is --population 64"):
        study.check({"wide": Side(["--population", "64"], run_familyseer)}, [0, 1])


def finished_in(folder: Path) -> None:
    write_run(folder, [record("a", 1, 1.0)], [1.0])


def test_each_side_may_have_a_limit_of_its_own() -> None:
    both = Job("ansor", "mlp", "llvm", (), 1, Path(), None, parse(None, ["--most-seconds", "9"]).most_seconds)
    assert (both.limited_to("tvm"), both.limited_to("fast")) == (9.0, 9.0)
    one = Job("ansor", "mlp", "llvm", (), 1, Path(), None, parse(None, ["--most-seconds", "tvm=9"]).most_seconds)
    assert (one.limited_to("tvm"), one.limited_to("fast")) == (9.0, None)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("--scale converged --trials 64", "Both --scale converged and --trials"),
        ("--device simulated --target llvm", "Both --device simulated and --target"),
        ("--sets peers", "--sets is given without --scale converged"),
        ("--tuner metaschedule --device simulated", "Only Ansor has --device simulated"),
    ],
)
def test_options_that_exclude_each_other_are_refused(given: str, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(None, given.split())
    assert what in capsys.readouterr().err


def test_the_goals_sets_have_five_rounds_of_tvms_for_each_task() -> None:
    arguments = parse(None, ["--scale", "converged"])
    assert (arguments.sides, arguments.seeds) == (["tvm", "fast"], [0, 1, 2])
    chosen = chosen_sets(arguments)
    assert list(chosen) == ["pointwise", "conv3x3", "mobilenet", "bert"]
    assert {each.trials_of_task for each in chosen.values()} == {5 * 64}
    arguments.sets = ["nothing"]
    with pytest.raises(RunError, match="Unknown set: nothing"):
        chosen_sets(arguments)


def test_both_sides_of_a_simulated_study_are_run_and_compared_by_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TVM's TaskScheduler with a builder and a runner that simulate, and our command line's options; both with small
    populations, to be quick."""
    monkeypatch.setenv("FAMILYSEER_HOME", str(tmp_path))
    small = ["--population", "32", "--generations", "1"]
    monkeypatch.setitem(SIDES["ansor"], "tvm", Side(["--scheduler", "tvm", *small], run_tvm_scheduler))
    monkeypatch.setitem(SIDES["ansor"], "fast", Side(small, run_familyseer))
    given = ["--device", "simulated", "--network", "mlp", "--only-tasks", "0", "--trials", "8", "--seeds", "3"]
    assert bench(parse(None, [*given, "--sides", "tvm,fast"])) == 0
    [report] = tmp_path.glob("bench/mlp-simulated-0-8-*/report/report.txt")
    text = report.read_text().splitlines()
    assert "times simulated" in text[0] and "model=simulated-v100" in text[0]
    assert text[-1].startswith("programs to within 1 % of TVM's end: ")
    assert all("8 programs" in line for line in text if line.startswith("seed 3, "))
    records = [json.loads(line) for line in (report.parents[1] / "tvm-3" / "records.json").read_text().splitlines()]
    assert len(records) == 8


def test_a_dry_run_has_tvms_side_build_programs_of_each_task_and_runs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAMILYSEER_HOME", str(tmp_path))
    assert bench(parse(None, ["--dry", "--network", "mlp", "--only-tasks", "0", "--target", "llvm"])) == 0
    assert "2 of 2 random programs were built" in capsys.readouterr().out
    assert not (tmp_path / "bench").exists()
