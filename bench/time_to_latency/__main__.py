"""Time to TVM's latency: TVM's TaskScheduler and other tuners on the same tasks, alternated, and compared.

A run is a folder of $FAMILYSEER_HOME/bench; one that is finished is not done again. The programs that a run believed
best are timed again, all sides' alike. At each moment the latency is the sum over the tasks of weight times that time
of the program believed best then. The last line is the wall-clock time to within 1 % of TVM's end, over what TVM itself
took to get there.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import signal
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from familyseer.backends import default_backend
from familyseer.errors import RequestError
from familyseer.measuring.cpus import find_threads
from familyseer.nvrtc import NO_GPU, gpu_count
from familyseer.targets import kind_of

from .judge import outcomes_by_own_times, outcomes_of
from .network import Tuned
from .options import TRIALS_OF_TASK, chosen_sides, chosen_tasks, parse
from .report import Outcomes, lines, write
from .runs import RunError, is_finished, read_run
from .sides import ROOT, Job, Side, ensure_run


def main() -> None:
    arguments = parse(__doc__)
    if default_backend().name != arguments.tuner:
        sys.exit(
            f"bench:time-to-latency: this Python's TVM has the tuner {default_backend().name}, and --tuner is "
            f"{arguments.tuner}. Expected the Python that scripts/tvm-python takes for it."
        )
    # Every side runs programs on as many threads as `familyseer tune` does.
    os.environ["TVM_NUM_THREADS"] = str(find_threads().count)
    # As after Ctrl-C, so that the processes are ended with this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(bench(arguments))
    except (RequestError, RunError) as error:
        sys.exit(f"bench:time-to-latency: {error}")


def _home() -> Path:
    return Path(os.environ.get("FAMILYSEER_HOME", ROOT / ".familyseer")).resolve()


def bench(arguments: argparse.Namespace) -> int:
    """Does the runs that are missing, and reports. Returns the exit code."""
    home = _home()
    sides = chosen_sides(arguments)
    # Here, so that every side has the tasks from the cache.
    tuned = Tuned.find(arguments.network, arguments.target, home / "cache")
    if kind_of(str(tuned.target)) == "cuda" and gpu_count() == 0:
        raise RunError(NO_GPU)
    tasks = chosen_tasks(arguments, tuned.descriptions)
    trials = arguments.trials or TRIALS_OF_TASK * len(tasks)
    part = arguments.family or "+".join(map(str, arguments.only_tasks or ()))
    # A network of that name that was built otherwise has other tasks, and its runs are not these.
    keys = "".join(tuned.descriptions[index].workload_key for index in tasks)
    digest = hashlib.sha256(keys.encode()).hexdigest()[:8]
    on = "" if arguments.target == "native" else re.sub(r"\W+", "-", arguments.target)
    by = "" if arguments.tuner == "ansor" else arguments.tuner
    name = "-".join(filter(None, [Path(arguments.network).name, by, on, part, str(trials), digest]))
    folder = home / "bench" / name
    lock = arguments.lock and arguments.lock.resolve()
    only = tuple(tasks) if part else ()
    job = Job(arguments.tuner, arguments.network, arguments.target, only, trials, home, lock)
    with alone(folder):
        done = run_all(sides, job, arguments.seeds, folder)
        text, outcomes = compare(arguments.seeds, list(sides), tasks, tuned, folder, lock, arguments.own_times)
    about = {
        "tuner": arguments.tuner,
        "network": arguments.network,
        "tasks": tasks,
        "trials": trials,
        "target": str(tuned.target),
        "cpus": os.cpu_count(),
        "times": "each side's own" if arguments.own_times else "timed again, all alike",
    }
    text = [", ".join(f"{name} {value}" for name, value in about.items()), *text]
    if outcomes:
        text += lines(outcomes, list(sides), headline_of(sides))
        if "mended" in sides and "fast" in sides:
            text += ["", "beside TVM's side with its intrinsics mended, in the place of TVM's:"]
            text += lines(in_place_of_tvm(outcomes, "mended"), ["tvm", "fast"], "fast")
        write(arguments.out or folder / "report", about, outcomes, text)
    print("", *text, sep="\n")
    return 0 if done and outcomes else 1


def headline_of(sides: Collection[str]) -> str:
    """The side of the last line: the fast mode if it is among them, else the one that was named last."""
    return "fast" if "fast" in sides else [name for name in sides if name != "tvm"][-1]


def in_place_of_tvm(outcomes: Outcomes, side: str) -> Outcomes:
    """A side as what the others are held against."""
    return {seed: {**by_side, "tvm": by_side[side]} for seed, by_side in outcomes.items()}


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"Another one is at work in {folder}. Wait for it, or end it.") from None
        yield


def run_all(sides: dict[str, Side], job: Job, seeds: list[int], folder: Path) -> bool:
    """Each side in turn for each seed. One that fails does not keep the others from running; returns if none did."""
    done = True
    for seed in seeds:
        for name, side in sides.items():
            print(f"seed {seed}, {name}: {folder / f'{name}-{seed}'}", flush=True)
            try:
                ensure_run(side, job, seed, folder / f"{name}-{seed}")
            except RunError as error:
                print(f"bench:time-to-latency: {error}", file=sys.stderr, flush=True)
                done = False
    return done


def compare(
    seeds: list[int],
    sides: list[str],
    tasks: list[int],
    tuned: Tuned,
    folder: Path,
    lock: Path | None,
    own_times: bool,
) -> tuple[list[str], Outcomes]:
    """Lines about what could not be compared, and the outcomes of the seeds of which all runs are finished."""
    weights = {index: float(tuned.network.weights[index]) for index in tasks}
    task_of = {tuned.descriptions[index].workload_key: index for index in tasks}
    preload = tuned.backend.preload(tuned.target)
    text, outcomes = [], {}
    for seed in seeds:
        folders = {side: folder / f"{side}-{seed}" for side in sides}
        missing = [side for side in sides if not is_finished(folders[side])]
        if missing:
            text.append(f"seed {seed} is left out: {', '.join(missing)} did not finish")
            continue
        runs = {
            side: read_run(each, task_of, None if tuned.backend.name == "ansor" else tuned.workloads(each))
            for side, each in folders.items()
        }
        outcomes[seed], left_out = (
            outcomes_by_own_times(runs, weights, seed)
            if own_times
            else outcomes_of(runs, tuned.measurable, preload, weights, folder / f"times-{seed}.json", seed, lock)
        )
        text += [
            f"seed {seed}, left out, as TVM's side has no program of it: task {task}, {tuned.descriptions[task].words}"
            for task in left_out
        ]
    return text, outcomes


if __name__ == "__main__":
    main()
