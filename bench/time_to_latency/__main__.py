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

from familyseer.ansor.core_operation import task_words
from familyseer.ansor.target import parse_target
from familyseer.ansor.tasks import TaskList, extract
from familyseer.errors import RequestError
from familyseer.measuring.cpus import find_threads
from familyseer.nvrtc import NO_GPU, gpu_count

from .judge import outcomes_by_own_times, outcomes_of
from .options import chosen_sides, chosen_tasks, parse
from .report import Outcomes, lines, write
from .runs import RunError, is_finished, read_run
from .sides import ROOT, Job, Side, ensure_run


def main() -> None:
    # Every side runs programs on as many threads as `familyseer tune` does.
    os.environ["TVM_NUM_THREADS"] = str(find_threads().count)
    arguments = parse(__doc__)
    # As after Ctrl-C, so that the processes are ended with this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(bench(arguments))
    except (RequestError, RunError) as error:
        sys.exit(f"bench:time-to-latency: {error}")


def bench(arguments: argparse.Namespace) -> int:
    """Does the runs that are missing, and reports. Returns the exit code."""
    home = Path(os.environ.get("FAMILYSEER_HOME", ROOT / ".familyseer")).resolve()
    sides = chosen_sides(arguments)
    target = parse_target(arguments.target)
    if target.kind.name == "cuda" and gpu_count() == 0:
        raise RunError(NO_GPU)
    # Here, so that every side has the tasks from the cache.
    task_list = extract(arguments.network, 1, "NHWC", target, home / "cache")
    tasks = chosen_tasks(arguments, task_list)
    part = arguments.family or "+".join(map(str, arguments.only_tasks or ()))
    # A network of that name that was built otherwise has other tasks, and its runs are not these.
    keys = "".join(task_list.tasks[index].workload_key for index in tasks)
    digest = hashlib.sha256(keys.encode()).hexdigest()[:8]
    on = "" if arguments.target == "native" else re.sub(r"\W+", "-", arguments.target)
    name = "-".join(filter(None, [Path(arguments.network).name, on, part, str(arguments.trials), digest]))
    folder = home / "bench" / name
    lock = arguments.lock and arguments.lock.resolve()
    job = Job(arguments.network, arguments.target, tuple(tasks) if part else (), arguments.trials, home, lock)
    with alone(folder):
        done = run_all(sides, job, arguments.seeds, folder)
        text, outcomes = compare(arguments.seeds, list(sides), tasks, task_list, folder, lock, arguments.own_times)
    about = {
        "network": arguments.network,
        "tasks": tasks,
        "trials": arguments.trials,
        "target": str(task_list.tasks[0].target),
        "cpus": os.cpu_count(),
        "times": "each side's own" if arguments.own_times else "timed again, all alike",
    }
    text = [", ".join(f"{name} {value}" for name, value in about.items()), *text]
    if outcomes:
        text += lines(outcomes, list(sides), headline_of(sides))
        write(arguments.out or folder / "report", about, outcomes, text)
    print("", *text, sep="\n")
    return 0 if done and outcomes else 1


def headline_of(sides: Collection[str]) -> str:
    """The side of the last line: the fast mode if it is among them, else the one that was named last."""
    return "fast" if "fast" in sides else [name for name in sides if name != "tvm"][-1]


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
    task_list: TaskList,
    folder: Path,
    lock: Path | None,
    own_times: bool,
) -> tuple[list[str], Outcomes]:
    """Lines about what could not be compared, and the outcomes of the seeds of which all runs are finished."""
    chosen = {index: task_list.tasks[index] for index in tasks}
    weights = {index: float(task_list.weights[index]) for index in tasks}
    task_of = {task.workload_key: index for index, task in chosen.items()}
    text, outcomes = [], {}
    for seed in seeds:
        folders = {side: folder / f"{side}-{seed}" for side in sides}
        missing = [side for side in sides if not is_finished(folders[side])]
        if missing:
            text.append(f"seed {seed} is left out: {', '.join(missing)} did not finish")
            continue
        runs = {side: read_run(folders[side], task_of) for side in sides}
        outcomes[seed], left_out = (
            outcomes_by_own_times(runs, weights, seed)
            if own_times
            else outcomes_of(runs, chosen, weights, folder / f"times-{seed}.json", seed, lock)
        )
        text += [
            f"seed {seed}, left out, as TVM's side has no program of it: task {task}, "
            f"{task_words(chosen[task].compute_dag)}"
            for task in left_out
        ]
    return text, outcomes


if __name__ == "__main__":
    main()
