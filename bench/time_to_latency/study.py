"""A set of tasks that sides are compared on: its runs, each in a folder of its own, and what is said of them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from familyseer.targets import is_simulated

from .judge import outcomes_by_own_times, outcomes_of
from .network import Tuned
from .report import Outcomes, lines, write
from .runs import RunError, is_finished, read_run
from .sides import Job, Side, ensure_run, require_same, revision_of


@dataclass(frozen=True)
class Study:
    """`tasks` are the ids of the tasks tuned; `folder` has the runs."""

    name: str
    tuned: Tuned
    tasks: list[int]
    job: Job
    folder: Path

    @staticmethod
    def of(name: str, among: Path, words: Sequence[str], tuned: Tuned, tasks: list[int], job: Job) -> Study:
        """One whose folder is named by `words`, in the folder `among`."""
        # A network of that name that was built otherwise has other tasks, and its runs are not these.
        keys = "".join(tuned.descriptions[index].workload_key for index in tasks)
        digest = hashlib.sha256(keys.encode()).hexdigest()[:8]
        return Study(name, tuned, tasks, job, among / "-".join(filter(None, [*words, digest])))

    @property
    def simulated(self) -> bool:
        return is_simulated(self.job.target)

    def folder_of(self, side: str, seed: int) -> Path:
        return self.folder / f"{side}-{seed}"

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Raises RunError if another process is at work in the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(f"Another one is at work in {self.folder}. Wait for it, or end it.") from None
            yield

    def check(self, sides: Mapping[str, Side], seeds: Sequence[int]) -> None:
        """Raises RunError if a finished run is of a side that had the name before."""
        for name, side in sides.items():
            for seed in seeds:
                require_same(side, self.folder_of(name, seed))

    def run(self, name: str, side: Side, seed: int) -> bool:
        """Does a run unless it is finished, and returns if it did. Raises RunError."""
        folder = self.folder_of(name, seed)
        print(f"{self.name}, seed {seed}, {name}: {folder}", flush=True)
        return ensure_run(side, self.job, seed, self.job.limited_to(name), folder)

    def builds(self) -> bool:
        """Has TVM's side build a few programs of each task, and says how that went: if of each one was built."""
        # What is there for TVM's auto-scheduler alone.
        from familyseer.experiments.tvm_side import try_builds

        all_built = True
        for index in self.tasks:
            failures = try_builds(self.tuned.network.tasks[index].search_task)
            built = failures.count(None)
            words = self.tuned.descriptions[index].words
            print(f"{self.name}, {words}: {built} of {len(failures)} random programs were built", flush=True)
            if built == 0:
                print(*(str(failure.message) for failure in failures if failure), sep="\n", file=sys.stderr)
                all_built = False
        return all_built

    def compare(
        self, seeds: Sequence[int], sides: Sequence[str], own_times: bool, settled: bool
    ) -> tuple[list[str], Outcomes]:
        """Lines about what is missing, and the outcomes of what is there of each seed that has a run of TVM's side and
        of another.

        All are timed again, unless the sides' own times are to count. A seed that lacks a run is not, as more are to
        come, until the study is `settled`.
        """
        weights = {index: float(self.tuned.network.weights[index]) for index in self.tasks}
        task_of = {self.tuned.descriptions[index].workload_key: index for index in self.tasks}
        preload = self.tuned.backend.preload(self.tuned.target)
        text, outcomes = [], {}
        for seed in seeds:
            folders = {side: self.folder_of(side, seed) for side in sides}
            missing = [side for side in sides if not is_finished(folders[side])]
            there = {side: each for side, each in folders.items() if side not in missing}
            left_out = "tvm" not in there or len(there) < 2
            if missing:
                text.append(f"seed {seed}{', left out' * left_out}, not finished: {', '.join(missing)}")
            if left_out:
                continue
            ansor = self.tuned.backend.name == "ansor"
            runs = {
                side: read_run(each, task_of, None if ansor else self.tuned.workloads(each))
                for side, each in there.items()
            }
            interim = bool(missing) and not settled and not own_times and not self.simulated
            if interim:
                text.append(f"seed {seed}, until its other runs are there: by what each side measured itself")
            outcomes[seed], unknown = (
                outcomes_by_own_times(runs, weights, seed)
                if own_times or self.simulated or interim
                else outcomes_of(
                    runs,
                    self.tuned.measurable,
                    preload,
                    weights,
                    self.folder / f"times-{seed}.json",
                    seed,
                    self.job.lock,
                )
            )
            text += [
                f"seed {seed}, left out, as TVM's side has no program of it: task {task}, "
                f"{self.tuned.descriptions[task].words}"
                for task in unknown
            ]
        return text, outcomes

    def report(
        self, seeds: Sequence[int], sides: Sequence[str], own_times: bool, settled: bool, out: Path | None
    ) -> tuple[list[str], Outcomes]:
        """Writes what there is to say so far to `out`, or beside the runs; returns it, too."""
        text, outcomes = self.compare(seeds, sides, own_times, settled)
        times = "simulated" if self.simulated else "each side's own" if own_times else "timed again, all alike"
        about = self._about(times)
        text = [", ".join(f"{name} {value}" for name, value in about.items()), *self._revisions(seeds, sides), *text]
        if outcomes:
            text += lines(outcomes, sides, headline_of(sides), timed=not self.simulated)
            if "mended" in sides and "fast" in sides and all("mended" in by_side for by_side in outcomes.values()):
                text += ["", "beside TVM's side with its intrinsics mended, in the place of TVM's:"]
                text += lines(in_place_of_tvm(outcomes, "mended"), ["tvm", "fast"], "fast")
        write(out or self.folder / "report", about, outcomes, text)
        return text, outcomes

    def _about(self, times: str) -> dict[str, Any]:
        return {
            "tuner": self.job.tuner,
            "network": self.job.network,
            "tasks": self.tasks,
            "trials": self.job.trials,
            "target": str(self.tuned.target),
            "cpus": os.cpu_count(),
            "times": times,
        }

    def _revisions(self, seeds: Sequence[int], sides: Sequence[str]) -> list[str]:
        """Of the sources that the runs are of, where it is known."""
        found = {side: {revision_of(self.folder_of(side, seed)) for seed in seeds} - {None} for side in sides}
        return [
            f"{side} is of the revision {', '.join(sorted(map(str, each)))}"
            for side, each in found.items()
            if each and side != "tvm"
        ]


def headline_of(sides: Collection[str]) -> str:
    """The side of the last line: the fast mode if it is among them, else the one that was named last."""
    return "fast" if "fast" in sides else [name for name in sides if name != "tvm"][-1]


def in_place_of_tvm(outcomes: Outcomes, side: str) -> Outcomes:
    """A side as what the others are held against."""
    return {seed: {**by_side, "tvm": by_side[side]} for seed, by_side in outcomes.items()}
