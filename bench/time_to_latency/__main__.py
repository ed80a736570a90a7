"""Time to TVM's latency: TVM's TaskScheduler and other tuners on the same tasks, alternated, and compared.

A run is a folder of $FAMILYSEER_HOME/bench; one that is finished is not done again. The programs that a run believed
best are timed again, all sides' alike. At each moment the latency is the sum over the tasks of weight times that time
of the program believed best then. The last line is the wall-clock time to within 1 % of TVM's end, over what TVM itself
took to get there.

With --scale converged several sets of tasks, each with five rounds of TVM's for every task, one seed of all after the
other. What there is so far is reported after each run; the last line is the programs to within 1 % of TVM's end.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from familyseer.backends import default_backend
from familyseer.errors import RequestError
from familyseer.measuring.cpus import find_threads
from familyseer.nvrtc import NO_GPU, gpu_count
from familyseer.targets import kind_of

from .network import Tuned
from .options import TRIALS_OF_TASK, chosen_sets, chosen_sides, chosen_tasks, parse
from .report import Outcomes, summary
from .runs import RunError
from .sides import ROOT, SIMULATED_TUNE, Job, Side
from .study import Study, headline_of


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
    sides = chosen_sides(arguments)
    if arguments.device == "simulated":
        if not Path(SIMULATED_TUNE).exists():
            raise RunError(f"There is no {SIMULATED_TUNE}. Run `npm run build`.")
    elif kind_of(arguments.target) == "cuda" and gpu_count() == 0 and not arguments.dry:
        raise RunError(NO_GPU)
    studies = sets_of(arguments) if arguments.scale == "converged" else [study_of(arguments)]
    if arguments.dry:
        return 0 if all([study.builds() for study in studies]) else 1
    with contextlib.ExitStack() as stack:
        for study in studies:
            stack.enter_context(study.alone())
            study.check(sides, arguments.seeds)
        done = arguments.report_only or run_all(studies, sides, arguments)
        text, outcomes = report(studies, list(sides), arguments, settled=True)
    print("", *text, sep="\n")
    return 0 if done and all(outcomes) else 1


def study_of(arguments: argparse.Namespace) -> Study:
    """The one that the options of a network and its tasks are of. Raises RunError or RequestError."""
    # Here, so that every side has the tasks from the cache.
    tuned = Tuned.find(arguments.network, arguments.target, _home() / "cache")
    tasks = chosen_tasks(arguments, tuned.descriptions)
    trials = arguments.trials or TRIALS_OF_TASK * len(tasks)
    part = arguments.family or "+".join(map(str, arguments.only_tasks or ()))
    by = "" if arguments.tuner == "ansor" else arguments.tuner
    network = Path(arguments.network).name
    words = [network, by, *_where(arguments), part, str(trials)]
    job = _job(arguments, arguments.network, tuple(tasks) if part else (), trials)
    return Study.of(network, _home() / "bench", words, tuned, tasks, job)


def sets_of(arguments: argparse.Namespace) -> list[Study]:
    """One study for each set of tasks. Raises RunError or RequestError."""
    studies = []
    for name, chosen in chosen_sets(arguments).items():
        tuned = Tuned.find(chosen.network, arguments.target, _home() / "cache")
        tasks = chosen.find(tuned.descriptions, tuned.network.weights)
        trials = chosen.trials_of_task * len(tasks)
        job = _job(arguments, chosen.network, tuple(tasks), trials)
        words = [name, *_where(arguments), str(trials)]
        studies.append(Study.of(name, _home() / "bench" / "converged", words, tuned, tasks, job))
    return studies


def _job(arguments: argparse.Namespace, network: str, tasks: tuple[int, ...], trials: int) -> Job:
    lock = arguments.lock and arguments.lock.resolve()
    most = arguments.most_seconds or {}
    return Job(arguments.tuner, network, arguments.target, tasks, trials, _home(), lock, most)


def _where(arguments: argparse.Namespace) -> list[str]:
    """What of a folder's name tells on what, and for how long at most, its runs are done."""
    on = "" if arguments.target == "native" else re.sub(r"\W+", "-", arguments.target)
    most = "-".join(f"{side}{seconds:g}s" for side, seconds in (arguments.most_seconds or {}).items())
    return ["simulated" if arguments.device == "simulated" else on, most]


def run_all(studies: Sequence[Study], sides: dict[str, Side], arguments: argparse.Namespace) -> bool:
    """Each side in turn for each set and seed, with a report after each. One that fails does not keep the others from
    running; returns if none did."""
    done = True
    for seed in arguments.seeds:
        for study in studies:
            for name, side in sides.items():
                try:
                    if study.run(name, side, seed):
                        text, _ = report(studies, list(sides), arguments, settled=False)
                        print(text[-1], flush=True)
                except RunError as error:
                    print(f"bench:time-to-latency: {error}", file=sys.stderr, flush=True)
                    done = False
    return done


def report(
    studies: Sequence[Study], sides: list[str], arguments: argparse.Namespace, settled: bool
) -> tuple[list[str], list[Outcomes]]:
    """Writes and returns what is known of each study, and of several what they say together."""
    converged = arguments.scale == "converged"
    text, found = [], {}
    for study in studies:
        out = arguments.out and (arguments.out / study.name if converged else arguments.out)
        of_study, found[study.name] = study.report(arguments.seeds, sides, arguments.own_times, settled, out)
        text += [f"{study.name}:", *of_study, ""] if converged else of_study
    if converged:
        text += summary(found, sides, headline_of(sides), timed=arguments.device != "simulated")
        name = "-".join(filter(None, ["report", *_where(arguments)]))
        file = arguments.out / "report.txt" if arguments.out else _home() / "bench" / "converged" / f"{name}.txt"
        file.write_text("".join(f"{line}\n" for line in text))
    return text, list(found.values())


if __name__ == "__main__":
    main()
