"""What the curves say: ratios to TVM's side of the same seed in words, and the curves as JSON and CSV."""

from __future__ import annotations

import csv
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .curves import Curve, Point, Ratios, at_equal_programs, over, ratios, reached

# Per cent of TVM's end, and whether first or for good.
WITHIN = tuple((per_cent, for_good) for per_cent in (5, 1, 0) for for_good in (False, True))
OVER = ("", " / TVM's there", " / TVM's whole")
HEADLINE_PER_CENT = 1
# Of TVM's programs: where latencies are held against each other.
SHARES = (("a quarter", 1 / 4), ("a half", 1 / 2), ("all", 1))


@dataclass(frozen=True)
class Outcome:
    """A run's curve, and how many of its programs failed."""

    curve: Curve
    failures: int


Outcomes = dict[int, dict[str, Outcome]]
"""By seed, then by side, `tvm` among them; a seed may lack others."""


def lines(outcomes: Outcomes, sides: Sequence[str], headline: str, timed: bool = True) -> list[str]:
    """The report for people; its last line is the goal's figure of the side `headline`.

    Where runs are not `timed` it says nothing on how their seconds compare.
    """
    text = [
        _run_line(seed, side, by_side[side]) for seed, by_side in outcomes.items() for side in sides if side in by_side
    ]
    for side in sides:
        of_side = _with(outcomes, side)
        if of_side:
            text += ["", *_table(of_side, side, timed)]
            text += [] if side == "tvm" else _latency_lines(of_side, side, timed)
    of_headline = _with(outcomes, headline)
    if of_headline:
        own = [_ratios(by_side, headline, HEADLINE_PER_CENT, False) for by_side in of_headline.values()]
        figure = _of_tvms([one.seconds if timed else one.programs for one in own], _seeds(of_headline))
        what = "wall-clock time" if timed else "programs"
        text += ["", f"{headline}:", f"{what} to within {HEADLINE_PER_CENT} % of TVM's end: {figure}"]
    return text


def summary(found: dict[str, Outcomes], sides: Sequence[str], headline: str, timed: bool = True) -> list[str]:
    """What several sets of tasks say together, by the sets' names; the last line is the goal's figure of the side
    `headline`."""
    others = [side for side in sides if side != "tvm"]
    row = "{:<12}{:<14}{:<8}" + "{:<24}" * (6 if timed else 5) + "{}"
    head = [f"programs, {per_cent} %" for per_cent in (5, 1, 0)] + ["seconds, 1 %"] * timed
    text = [
        "Over what TVM took to get within so much of its end, and latency over TVM's: median (min, max) of the seeds",
        row.format("set", "side", "seeds", *head, "at equal programs", "at its end", "worse at its end").rstrip(),
    ]
    for name, outcomes in found.items():
        for side in others:
            of_side = _with(outcomes, side)
            if not of_side:
                text.append(f"{name:<12}{side:<14}{0:<8}no seed has its run and TVM's")
                continue
            by = {
                per_cent: [_ratios(by_side, side, per_cent, False) for by_side in of_side.values()]
                for per_cent in (5, 1, 0)
            }
            cells = [_median([one.programs for one in each]) for each in by.values()]
            cells += [_median([one.seconds for one in by[HEADLINE_PER_CENT]])] * timed
            cells += [_maybe_median(_at_end(of_side, side)), _median([*_ends(of_side, side).values()])]
            text.append(row.format(name, side, len(of_side), *cells, _worse(of_side, side)).rstrip())
    ratios_of = [
        _ratios(by_side, headline, HEADLINE_PER_CENT, False).programs
        for outcomes in found.values()
        for by_side in _with(outcomes, headline).values()
    ]
    figure = "no run is there"
    if ratios_of:
        never = sum(map(math.isinf, ratios_of))
        figure = _of_tvms(ratios_of, f"{len(ratios_of)} runs") + f", {never} of {len(ratios_of)} never got there"
    return [*text, "", f"{headline}:", f"programs to within {HEADLINE_PER_CENT} % of TVM's end: {figure}"]


def _with(outcomes: Outcomes, side: str) -> Outcomes:
    """The seeds that have a side."""
    return {seed: by_side for seed, by_side in outcomes.items() if side in by_side}


def _of_tvms(values: Sequence[float], of: str) -> str:
    middle, least, most = _spread(values)
    return f"{_number(middle)} of TVM's (median of {of}, min {_number(least)}, max {_number(most)})"


def _run_line(seed: int, side: str, outcome: Outcome) -> str:
    curve = outcome.curve
    end = f"{1e3 * curve.end:.3f} ms" if curve.points else "no latency: a task has no program"
    counts = f"{curve.programs} programs, {outcome.failures} of them failed"
    known = f", all tasks have a program from {curve.points[0].seconds:.0f} s on" if curve.points else ""
    return f"seed {seed}, {side}: ends with {end} after {curve.seconds:.0f} s and {counts}{known}"


def _table(outcomes: Outcomes, side: str, timed: bool) -> list[str]:
    """When the side is how near to TVM's end; over what TVM itself took to there, and over its whole run."""
    names = ("seconds", "programs") if timed else ("programs",)
    row = "  {:<14}" + "{:<24}" * (len(names) * len(OVER))
    head = row.format("within", *(f"{name}{over}" for name in names for over in OVER))
    text = [
        f"{side}, median (min, max) over {_seeds(outcomes)}; over what TVM took to get there, over its whole run:",
        head.rstrip(),
    ]
    for per_cent, for_good in WITHIN:
        points = [_point(by_side, side, per_cent, for_good) for by_side in outcomes.values()]
        each = [_ratios(by_side, side, per_cent, for_good) for by_side in outcomes.values()]
        seconds = [
            _median([math.inf if point is None else point.seconds for point in points], ".1f"),
            _median([one.seconds for one in each]),
            _median([one.seconds_of_whole for one in each]),
        ]
        cells = [
            *(seconds if timed else ()),
            _median([math.inf if point is None else point.programs for point in points], ".0f"),
            _median([one.programs for one in each]),
            _median([one.programs_of_whole for one in each]),
        ]
        text.append(row.format(f"{per_cent} %, {'for good' if for_good else 'first'}", *cells).rstrip())
    return text


def _latency_lines(outcomes: Outcomes, side: str, timed: bool) -> list[str]:
    return [
        *_equal_program_lines(outcomes, side),
        *(_equal_time_lines(outcomes, side) if timed else ()),
        f"  latency at its end over TVM's at TVM's end: {_median([*_ends(outcomes, side).values()])}; by seed "
        f"{', '.join(f'{seed}: {_number(value)}' for seed, value in _ends(outcomes, side).items())}; "
        f"worse than TVM's: {_worse(outcomes, side)}",
    ]


def _equal_program_lines(outcomes: Outcomes, side: str) -> list[str]:
    """The latency over TVM's after as many programs: of those seeds in which both measured so many."""
    text = [f"  latency over TVM's after as many programs as it measured: {_maybe_median(_at_end(outcomes, side))}"]
    for name, share in SHARES:
        found = [
            at_equal_programs(by_side[side].curve, tvm, int(share * tvm.programs))
            for by_side in outcomes.values()
            for tvm in [by_side["tvm"].curve]
        ]
        so_far = sum(
            by_side[side].curve.programs >= int(share * by_side["tvm"].curve.programs) for by_side in outcomes.values()
        )
        text.append(
            f"  the same after {name} of TVM's programs: {_maybe_median(found)} ({so_far} of {len(found)} got so far)"
        )
    return text


def _at_end(outcomes: Outcomes, side: str) -> list[float | None]:
    """The latency over TVM's after the programs that the side measured, or those of TVM if they are fewer."""
    pairs = [(by_side[side].curve, by_side["tvm"].curve) for by_side in outcomes.values()]
    return [at_equal_programs(ours, tvm, min(ours.programs, tvm.programs)) for ours, tvm in pairs]


def _ends(outcomes: Outcomes, side: str) -> dict[int, float]:
    """By seed, the latency at the side's end over TVM's at TVM's end."""
    return {seed: by_side[side].curve.end / by_side["tvm"].curve.end for seed, by_side in outcomes.items()}


def _worse(outcomes: Outcomes, side: str) -> str:
    worse = [seed for seed, value in _ends(outcomes, side).items() if value > 1]
    return f"seed {', '.join(map(str, worse))}" if worse else "none"


def _equal_time_lines(outcomes: Outcomes, side: str) -> list[str]:
    pairs = [(by_side[side].curve, by_side["tvm"].curve) for by_side in outcomes.values()]
    shorter = [(ours, tvm, min(ours.seconds, tvm.seconds)) for ours, tvm in pairs]
    at_tvm_end = [ours.at(tvm.seconds) / tvm.end for ours, tvm in pairs]
    equal = [over(ours.at(seconds), tvm.at(seconds)) for ours, tvm, seconds in shorter]
    early = sum(ours.seconds < tvm.seconds for ours, tvm in pairs)
    whole = [_ratios(by_side, side, 0, False).seconds_of_whole for by_side in outcomes.values()]
    own = [_ratios(by_side, side, 0, False).seconds for by_side in outcomes.values()]
    return [
        f"  TVM's seconds over its own to TVM's end: {_speed_up(whole)} by TVM's whole run, "
        f"{_speed_up(own)} by when TVM was there",
        f"  latency when TVM's run ends over TVM's: {_median(at_tvm_end)} ({early} of {len(pairs)} had ended before)",
        f"  latency over TVM's at the same moment, when the first of the two ends: {_maybe_median(equal)}"
        " (0: TVM had a task without a program)",
    ]


def _speed_up(values: Sequence[float]) -> str:
    """Of ratios of a side's seconds to TVM's: the least is that of the largest ratio; none where it never got there."""
    middle, least, most = ("none" if math.isinf(value) else f"{1 / value:.2f}" for value in _spread(values))
    return f"{middle} ({most}, {least})"


def _ratios(by_side: dict[str, Outcome], side: str, per_cent: int, for_good: bool) -> Ratios:
    own = _point(by_side, "tvm", per_cent, for_good)
    assert own is not None
    return ratios(_point(by_side, side, per_cent, for_good), own, by_side["tvm"].curve)


def _point(by_side: dict[str, Outcome], side: str, per_cent: int, for_good: bool) -> Point | None:
    found = reached(by_side[side].curve, by_side["tvm"].curve, per_cent)
    return found.for_good if for_good else found.first


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, least and most; what was never reached is infinite, and counts."""
    return statistics.median(values), min(values), max(values)


def _median(values: Sequence[float], form: str = ".3f") -> str:
    middle, least, most = (_number(value, form) for value in _spread(values))
    return f"{middle} ({least}, {most})"


def _maybe_median(values: Sequence[float | None]) -> str:
    """Of those that there are."""
    known = [value for value in values if value is not None]
    return _median(known) if known else "-"


def _number(value: float, form: str = ".3f") -> str:
    return "never" if math.isinf(value) else format(value, form)


def _seeds(outcomes: Outcomes) -> str:
    return f"{len(outcomes)} seed{'' if len(outcomes) == 1 else 's'}"


def write(folder: Path, about: dict[str, Any], outcomes: Outcomes, text: Sequence[str]) -> None:
    """report.txt, curves.json and curves.csv. A latency is in seconds; what was never reached is null. Over TVM's at
    equal programs a latency is null where TVM measured fewer, and zero where it had a task without a program."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.txt").write_text("".join(f"{line}\n" for line in text))
    runs = [_as_json(seed, side, by_side) for seed, by_side in outcomes.items() for side in by_side]
    (folder / "curves.json").write_text(json.dumps({**about, "runs": runs}, indent=1))
    with (folder / "curves.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["side", "seed", "seconds", "programs", "latency_seconds", "over_tvm_at_equal_programs"])
        for run in runs:
            for point, over_tvm in zip(run["points"], run["over_tvm_at_equal_programs"]):
                writer.writerow([run["side"], run["seed"], *point, over_tvm])


def _as_json(seed: int, side: str, by_side: dict[str, Outcome]) -> dict[str, Any]:
    curve = by_side[side].curve
    within = []
    for per_cent, for_good in WITHIN:
        point, each = _point(by_side, side, per_cent, for_good), _ratios(by_side, side, per_cent, for_good)
        over_tvm = {name: value if math.isfinite(value) else None for name, value in vars(each).items()}
        when = {"seconds": point and point.seconds, "programs": point and point.programs}
        within.append({"per_cent": per_cent, "for_good": for_good, **when, "over_tvm": over_tvm})
    return {
        "side": side,
        "seed": seed,
        "seconds": curve.seconds,
        "programs": curve.programs,
        "failures": by_side[side].failures,
        "end": curve.end if curve.points else None,
        "within": within,
        "points": [[point.seconds, point.programs, point.latency] for point in curve.points],
        "over_tvm_at_equal_programs": [
            at_equal_programs(curve, by_side["tvm"].curve, point.programs) for point in curve.points
        ],
    }
