"""From the finished runs of one seed to their curves: what counts, timed by the neutral timer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from familyseer.measuring.program import Program

from .curves import Improvement, curve, improvements, needed, without
from .report import Outcome
from .retime import Session, retime
from .runs import Run, RunError


def outcomes_of(
    runs: Mapping[str, Run],
    measurable: Callable[[str, Path], Program],
    preload: Sequence[str],
    weights: Mapping[int, float],
    file: Path,
    seed: int,
    lock: Path | None,
) -> tuple[dict[str, Outcome], list[int]]:
    """Each side's outcome, and the tasks that were left out; `file` keeps the times.

    `measurable` gives the program of a line of a run's log in a folder, `preload` is what builders of them need.

    The latency is that of the tasks TVM's side found a program for. TVM may build no program of some, and a
    latency without one would never be defined on its side.
    """
    found = {side: improvements(run.measured) for side, run in runs.items()}

    def wanted(failed: set[str]) -> set[str]:
        compared = _compared(found["tvm"], failed)
        return set().union(*(needed(without(each, failed), compared) for each in found.values()))

    session = Session.open(file, {side: run.fingerprint for side, run in runs.items()})
    places = {program: (line, run.folder) for run in runs.values() for program, line in run.records.items()}
    costs = retime(session, wanted, lambda program: measurable(*places[program]), preload, seed, lock)

    return _outcomes(runs, found, weights, dict.fromkeys(runs, costs), seed)


def outcomes_by_own_times(
    runs: Mapping[str, Run], weights: Mapping[int, float], seed: int
) -> tuple[dict[str, Outcome], list[int]]:
    """As `outcomes_of`, by what each side measured itself: lucky timings count. For sides that time alike."""
    found = {side: improvements(run.measured) for side, run in runs.items()}
    costs = {side: {one.program: one.cost for one in run.measured} for side, run in runs.items()}
    return _outcomes(runs, found, weights, costs, seed)


def _outcomes(
    runs: Mapping[str, Run],
    found: Mapping[str, list[Improvement]],
    weights: Mapping[int, float],
    costs: Mapping[str, Mapping[str, float | None]],
    seed: int,
) -> tuple[dict[str, Outcome], list[int]]:
    failed = {side: {program for program, cost in each.items() if cost is None} for side, each in costs.items()}
    ran = {side: {program: cost for program, cost in each.items() if cost is not None} for side, each in costs.items()}
    compared = _compared(found["tvm"], failed["tvm"])
    if not compared:
        raise RunError(f"No program of TVM's side of seed {seed} ran. Expected one of some task.")
    kept = {task: weight for task, weight in weights.items() if task in compared}
    outcomes = {
        side: Outcome(
            curve(without(found[side], failed[side]), kept, ran[side], run.seconds, len(run.measured)), run.failures
        )
        for side, run in runs.items()
    }
    return outcomes, sorted(weights.keys() - compared)


def _compared(found: list[Improvement], failed: set[str]) -> set[int]:
    return {one.task for one in without(found, failed)}
