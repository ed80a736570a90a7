"""The command's options, and what they choose."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from familyseer.backend import Description

from .runs import RunError
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
# Two rounds of TVM's for each task.
TRIALS_OF_TASK = 128


def parse(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="npm run bench:time-to-latency --",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tuner", choices=SIDES, default="ansor", help="of which TVM the sides are (ansor)")
    parser.add_argument("--network", default="mobilenetv2_0.5")
    parser.add_argument("--target", default="native", help='TVM target, e.g. "cuda -arch=sm_90" (this machine\'s CPU)')
    parser.add_argument("--only-tasks", type=_numbers, metavar="1,2,3", help="only these tasks of the network")
    parser.add_argument("--family", help="only the tasks with this core operation, e.g. nn.conv2d")
    parser.add_argument("--trials", type=int, help="programs that each side measures (1000; 128 for each task)")
    parser.add_argument("--seeds", type=_numbers, metavar="0,1,2", help="a run of each side for each (0,1,2)")
    parser.add_argument(
        "--sides", type=lambda text: text.split(","), help=f"tvm and others of {', '.join(_names())} (all)"
    )
    parser.add_argument(
        "--side",
        action="append",
        default=[],
        metavar="NAME=ARGS",
        help='one side more, `familyseer tune` with these arguments: --side "descent=--mode fast --descent"',
    )
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
    arguments = parser.parse_args()
    for name, value in (SMALL if arguments.small else FULL)[arguments.tuner].items():
        if getattr(arguments, name) is None and not (name == "only_tasks" and arguments.family):
            setattr(arguments, name, value)
    return arguments


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
