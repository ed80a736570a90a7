"""The neutral timer: programs of all sides timed again, all alike, so that noise and lucky timings count for nobody.

What is compared is timed in one session: the runs of one seed, equal programs once, in shuffled order, twice over. Of a
pass the median of the repeats counts, and of the passes the smaller: whatever disturbs a timing makes it longer, and
seldom does so to the same program in both passes. A later seed is a session of its own; a run that is added to a seed
begins that seed's session anew, since a machine is not as fast today as it was yesterday.
"""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from familyseer.measuring.cpus import find_threads
from familyseer.measuring.engine import Engine, EngineSettings
from familyseer.measuring.program import Program
from familyseer.measuring.run import Timing

from .lock import held

PASSES = 2
TIMING = Timing(timeout=60, number=3, repeat=5, min_repeat_ms=100)
# Three times as long as it had in a tuning.
BUILD_SECONDS = 45.0
# Programs between two writings of the file, and turns of the lock.
BATCH = 16


@dataclass
class Session:
    """The times of one session, kept in a file. `runs` are the fingerprints of what is timed together, by side; a pass
    has the repeats of each program in seconds, None for one that failed."""

    file: Path
    runs: dict[str, str]
    passes: list[dict[str, list[float] | None]]

    @staticmethod
    def open(file: Path, runs: dict[str, str]) -> Session:
        """Goes on with what the file has if all of `runs` were timed together there."""
        if file.exists():
            content = json.loads(file.read_text())
            if runs.items() <= content["runs"].items():
                return Session(file, content["runs"], content["passes"])
        return Session(file, runs, [{} for _ in range(PASSES)])

    def save(self) -> None:
        part = self.file.with_name(f"{self.file.name}.part")
        part.write_text(json.dumps({"runs": self.runs, "passes": self.passes}))
        part.replace(self.file)

    def costs(self) -> dict[str, float | None]:
        """Of each program that had all passes; None if it failed in all of them."""
        timed = set.intersection(*(set(each) for each in self.passes))
        return {program: _cost([each[program] for each in self.passes]) for program in timed}


def retime(
    session: Session,
    wanted: Callable[[set[str]], set[str]],
    measurable: Callable[[str], Program],
    preload: Sequence[str],
    seed: int,
    lock: Path | None,
) -> dict[str, float | None]:
    """The costs of the programs that count, in seconds; None for those that failed.

    `wanted` says which count when some failed: then those before them do. `measurable` gives what is
    built and run of a program, `preload` is what builders of it need.
    """
    engine = None
    try:
        while True:
            costs = session.costs()
            missing = wanted({program for program, cost in costs.items() if cost is None}) - costs.keys()
            if not missing:
                return costs
            engine = engine or Engine(_settings(), preload=preload)
            programs = {program: measurable(program) for program in missing}
            for index in range(PASSES):
                _pass(engine, session, index, programs, seed, lock)
    finally:
        if engine is not None:
            engine.close()


def _pass(
    engine: Engine,
    session: Session,
    index: int,
    programs: Mapping[str, Program],
    seed: int,
    lock: Path | None,
) -> None:
    times = session.passes[index]
    order = sorted(programs)
    random.Random(f"{seed} {index}").shuffle(order)
    left = [program for program in order if program not in times]
    for begin in range(0, len(left), BATCH):
        batch = left[begin : begin + BATCH]
        with held(lock):
            futures = [engine.submit(programs[program], TIMING) for program in batch]
            for program, future in zip(batch, futures):
                measured = future.result()
                times[program] = list(measured.costs) if measured.failure is None else None
        session.save()
        print(f"seed {seed}, pass {index + 1} of {PASSES}: {begin + len(batch)} of {len(left)} programs", flush=True)


def _settings() -> EngineSettings:
    """Each thread stays on a CPU of its own. Where TVM chooses, its first thread may share another's: in some processes
    programs of some microseconds take two or three times as long then."""
    return EngineSettings(build_timeout=BUILD_SECONDS, threads=find_threads().count)


def _cost(passes: list[list[float] | None]) -> float | None:
    medians = [statistics.median(repeats) for repeats in passes if repeats is not None]
    return min(medians) if medians else None
