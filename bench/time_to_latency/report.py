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

from .curves import Curve, Point, Ratios, ratios, reached

# Per cent of TVM's end, and whether first or for good.
WITHIN = tuple((per_cent, for_good) for per_cent in (5, 1, 0) for for_good in (False, True))
OVER = ("", " / TVM's there", " / TVM's whole")
HEADLINE_PER_CENT = 1


@dataclass(frozen=True)
class Outcome:
    """A run's curve, and how many of its programs failed."""

    curve: Curve
    failures: int


Outcomes = dict[int, dict[str, Outcome]]
"""By seed, then by side, `tvm` among them."""


def lines(outcomes: Outcomes, sides: Sequence[str], headline: str) -> list[str]:
    """The report for people; its last line is the goal's figure of the side `headline`."""
    text = [_run_line(seed, side, by_side[side]) for seed, by_side in outcomes.items() for side in sides]
    for side in sides:
        text += ["", *_table(outcomes, side)]
        text += [] if side == "tvm" else _latency_lines(outcomes, side)
    own = [_ratios(by_side, headline, HEADLINE_PER_CENT, False).seconds for by_side in outcomes.values()]
    middle, least, most = _spread(own)
    figure = f"{_number(middle)} of TVM's (median of {_seeds(outcomes)}, min {_number(least)}, max {_number(most)})"
    text += ["", f"{headline}:", f"wall-clock time to within {HEADLINE_PER_CENT} % of TVM's end: {figure}"]
    return text


def _run_line(seed: int, side: str, outcome: Outcome) -> str:
    curve = outcome.curve
    end = f"{1e3 * curve.end:.3f} ms" if curve.points else "no latency: a task has no program"
    counts = f"{curve.programs} programs, {outcome.failures} of them failed"
    known = f", all tasks have a program from {curve.points[0].seconds:.0f} s on" if curve.points else ""
    return f"seed {seed}, {side}: ends with {end} after {curve.seconds:.0f} s and {counts}{known}"


def _table(outcomes: Outcomes, side: str) -> list[str]:
    """When the side is how near to TVM's end; over what TVM itself took to there, and over its whole run."""
    row = "  {:<14}" + "{:<24}" * 6
    head = row.format("within", *(f"{name}{over}" for name in ("seconds", "programs") for over in OVER))
    text = [
        f"{side}, median (min, max) over {_seeds(outcomes)}; over what TVM took to get there, over its whole run:",
        head.rstrip(),
    ]
    for per_cent, for_good in WITHIN:
        points = [_point(by_side, side, per_cent, for_good) for by_side in outcomes.values()]
        each = [_ratios(by_side, side, per_cent, for_good) for by_side in outcomes.values()]
        cells = [
            _median([math.inf if point is None else point.seconds for point in points], ".1f"),
            _median([one.seconds for one in each]),
            _median([one.seconds_of_whole for one in each]),
            _median([math.inf if point is None else point.programs for point in points], ".0f"),
            _median([one.programs for one in each]),
            _median([one.programs_of_whole for one in each]),
        ]
        text.append(row.format(f"{per_cent} %, {'for good' if for_good else 'first'}", *cells).rstrip())
    return text


def _latency_lines(outcomes: Outcomes, side: str) -> list[str]:
    pairs = [(by_side[side].curve, by_side["tvm"].curve) for by_side in outcomes.values()]
    shorter = [(ours, tvm, min(ours.seconds, tvm.seconds)) for ours, tvm in pairs]
    ends = [ours.end / tvm.end for ours, tvm in pairs]
    at_tvm_end = [ours.at(tvm.seconds) / tvm.end for ours, tvm in pairs]
    equal = [_over(ours.at(seconds), tvm.at(seconds)) for ours, tvm, seconds in shorter]
    early = sum(ours.seconds < tvm.seconds for ours, tvm in pairs)
    return [
        f"  latency at its end over TVM's at TVM's end: {_median(ends)}",
        f"  latency when TVM's run ends over TVM's: {_median(at_tvm_end)} ({early} of {len(pairs)} had ended before)",
        f"  latency over TVM's at the same moment, when the first of the two ends: {_median(equal)}"
        " (0: TVM had a task without a program)",
    ]


def _over(ours: float, tvm: float) -> float:
    return math.inf if math.isinf(ours) else ours / tvm


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


def _number(value: float, form: str = ".3f") -> str:
    return "never" if math.isinf(value) else format(value, form)


def _seeds(outcomes: Outcomes) -> str:
    return f"{len(outcomes)} seed{'' if len(outcomes) == 1 else 's'}"


def write(folder: Path, about: dict[str, Any], outcomes: Outcomes, text: Sequence[str]) -> None:
    """report.txt, curves.json and curves.csv. A latency is in seconds; what was never reached is null."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.txt").write_text("".join(f"{line}\n" for line in text))
    runs = [_as_json(seed, side, by_side) for seed, by_side in outcomes.items() for side in by_side]
    (folder / "curves.json").write_text(json.dumps({**about, "runs": runs}, indent=1))
    with (folder / "curves.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["side", "seed", "seconds", "programs", "latency_seconds"])
        for run in runs:
            for point in run["points"]:
                writer.writerow([run["side"], run["seed"], *point])


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
    }
