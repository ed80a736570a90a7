"""The command's options, and what they choose."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from familyseer.backend import Description
from familyseer.targets import SIMULATED_MODEL

from .runs import RunError
from .sets import CONVERGED, SETS, TaskSet
from .sides import SIDES, Side, command_line_side

FULL = {
    "ansor": {"trials": 1000, "seeds": [0, 1, 2], "sides": ["tvm", "fast", "paper"], "only_tasks": None},
    "metaschedule": {"seeds": [0, 1, 2], "sides": ["tvm", "mended", "fast"], "only_tasks": None},
}
# Two pointwise convolutions of one family, two rounds each.
SMALL = {
    "ansor": {"trials": 256, "seeds": [0], "sides": ["tvm", "fast"], "only_tasks": [29, 31]},
    "metaschedule": {"trials": 256, "seeds": [0], "sides": ["tvm", "mended", "fast"], "only_tasks": [29, 31]},
}
# Sets of tasks, each with its own number of programs.
CONVERGED_SCALE = {"seeds": [0, 1, 2], "sides": ["tvm", "fast"], "sets": list(CONVERGED)}
# Two rounds of TVM's for each task.
TRIALS_OF_TASK = 128
SIMULATED_TARGET = f"cuda -arch=sm_70 -model={SIMULATED_MODEL}"


def parse(description: str | None, given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="npm run bench:time-to-latency --",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tuner", choices=SIDES, default="ansor", help="of which TVM the sides are (ansor)")
    parser.add_argument(
        "--scale", choices=("full", "converged"), default="full", help="converged: sets of tasks (full)"
    )
    parser.add_argument("--sets", type=_names_of, metavar="NAME,...", help=f"of --scale converged: {', '.join(SETS)}")
    parser.add_argument("--network", help="(mobilenetv2_0.5)")
    parser.add_argument("--target", help='TVM target, e.g. "cuda -arch=sm_90" (this machine\'s CPU)')
    parser.add_argument(
        "--device",
        choices=("this", "simulated"),
        default="this",
        help="simulated: both sides on the simulated V100, where programs count and seconds do not (this machine's)",
    )
    parser.add_argument("--only-tasks", type=_numbers, metavar="1,2,3", help="only these tasks of the network")
    parser.add_argument("--family", help="only the tasks with this core operation, e.g. nn.conv2d")
    parser.add_argument("--trials", type=int, help="programs that each side measures (1000; 128 for each task)")
    parser.add_argument("--seeds", type=_numbers, metavar="0,1,2", help="a run of each side for each (0,1,2)")
    parser.add_argument(
        "--sides", type=_names_of, help=f"tvm and others of {', '.join(_names())} (all; converged: tvm,fast)"
    )
    parser.add_argument(
        "--side",
        action="append",
        default=[],
        metavar="NAME=ARGS",
        help='one side more, `familyseer tune` with these arguments: --side "descent=--mode fast --descent"',
    )
    parser.add_argument(
        "--most-seconds",
        type=_seconds,
        metavar="N or SIDE=N,...",
        help="a side that has taken so many seconds begins no round more (no limit)",
    )
    parser.add_argument(
        "--dry", action="store_true", help="build some programs of each task, as TVM's side does; run none"
    )
    parser.add_argument("--report-only", action="store_true", help="do no run; report on those that are there")
    parser.add_argument("--small", action="store_true", help="about 20 minutes: 256 programs of two tasks, seed 0")
    parser.add_argument(
        "--lock",
        type=Path,
        help="a file to hold a lock (flock) of while timing, so that others can work in between: TVM's side holds it "
        "for a round at a time, with its clock standing still while it waits, ours for the whole run",
    )
    parser.add_argument(
        "--own-times",
        action="store_true",
        help="compare what each side measured itself; nothing is timed again (for sides that time alike)",
    )
    parser.add_argument("--out", type=Path, help="folder for report and curves (default: report, beside the runs)")
    arguments = parser.parse_args(given)
    _check(arguments, parser)
    converged = arguments.scale == "converged"
    defaults = CONVERGED_SCALE if converged else (SMALL if arguments.small else FULL)[arguments.tuner]
    for name, value in defaults.items():
        if getattr(arguments, name) is None and not (name == "only_tasks" and arguments.family):
            setattr(arguments, name, value)
    arguments.network = arguments.network or "mobilenetv2_0.5"
    arguments.target = SIMULATED_TARGET if arguments.device == "simulated" else arguments.target or "native"
    return arguments


def _check(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Ends the process if options exclude each other."""
    sets = ("network", "only_tasks", "family", "trials", "small")
    of_measuring = ("target", "lock", "most_seconds")
    for chosen, others in (
        (arguments.scale == "converged" and "--scale converged", sets),
        (arguments.device == "simulated" and "--device simulated", of_measuring),
    ):
        for name in others if chosen else ():
            if getattr(arguments, name):
                parser.error(f"Both {chosen} and --{name.replace('_', '-')} are given. Expected one of the two.")
    if arguments.sets and arguments.scale != "converged":
        parser.error("--sets is given without --scale converged. Expected both.")
    if arguments.tuner != "ansor" and (arguments.device == "simulated" or arguments.most_seconds):
        parser.error("Only Ansor has --device simulated and --most-seconds. Expected --tuner ansor.")
    if arguments.tuner != "ansor" and arguments.scale == "converged":
        parser.error("The sets of --scale converged are Ansor's tasks. Expected --tuner ansor.")


def chosen_sets(arguments: argparse.Namespace) -> dict[str, TaskSet]:
    """By name, in the order in which they run. Raises RunError."""
    unknown = [name for name in arguments.sets if name not in SETS]
    if unknown:
        raise RunError(f"Unknown set: {unknown[0]}. Expected one of {', '.join(SETS)}.")
    return {name: SETS[name] for name in arguments.sets}


def _names_of(text: str) -> list[str]:
    return text.split(",")


def _seconds(text: str) -> dict[str, float]:
    """By side; of "" those that all others have."""
    parts = (part.rpartition("=") for part in text.split(","))
    return {side: float(value) for side, _, value in parts}


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _names() -> list[str]:
    return sorted({name for sides in SIDES.values() for name in sides})


def chosen_sides(arguments: argparse.Namespace) -> dict[str, Side]:
    """By name, in the order in which they run. Raises RunError."""
    known = SIDES[arguments.tuner]
    unknown = [name for name in arguments.sides if name not in known]
    if unknown:
        raise RunError(f"Unknown side: {unknown[0]}. Expected one of {', '.join(known)}; --side NAME=ARGS adds others.")
    sides = {name: known[name] for name in arguments.sides}
    for text in arguments.side:
        name, equals, rest = text.partition("=")
        if not equals or not re.fullmatch(r"[\w.-]+", name) or name in known:
            raise RunError(
                f'--side is "{text}". Expected NAME=ARGS with a name of its own, e.g. "wide=--population 512".'
            )
        sides[name] = command_line_side(shlex.split(rest))
    if "tvm" not in sides or len(sides) < 2:
        raise RunError(f"The sides are {', '.join(sides)}. Expected tvm and at least one to compare with it.")
    return sides


def chosen_tasks(arguments: argparse.Namespace, descriptions: Sequence[Description]) -> list[int]:
    """The ids of the tasks that are tuned. Raises RunError."""
    everything = range(len(descriptions))
    if arguments.family and arguments.only_tasks:
        raise RunError("Both --family and --only-tasks are given. Expected one of the two.")
    if arguments.family:
        families = [description.core_operation for description in descriptions]
        if arguments.family not in families:
            names = ", ".join(sorted({str(family) for family in families}))
            raise RunError(f"{arguments.network} has no family {arguments.family}. Expected one of {names}.")
        return [index for index in everything if families[index] == arguments.family]
    wrong = [index for index in arguments.only_tasks or () if index not in everything]
    if wrong:
        raise RunError(f"{arguments.network} has no task {wrong[0]}. Expected ids from 0 to {len(everything) - 1}.")
    return sorted(set(arguments.only_tasks or everything))
