"""The tuners that are compared, each run as a process in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Callable

from familyseer import interpreter

from .lock import held
from .runs import RECORDS, SECONDS, RunError, is_finished

ROOT = Path(__file__).resolve().parents[2]
GRACE_SECONDS = 10
OUTPUT, EVENTS = "output.txt", "events.jsonl"


@dataclass(frozen=True)
class Job:
    """What every side tunes. `tasks` are ids, none for all; `home` is $FAMILYSEER_HOME."""

    tuner: str
    network: str
    target: str
    tasks: tuple[int, ...]
    trials: int
    home: Path
    lock: Path | None


Side = Callable[[Job, int, Path], None]
"""Tunes a job with a seed and leaves TVM's log (`RECORDS`) and seconds.json in the folder. Raises RunError."""


def _fast(job: Job, seed: int, folder: Path) -> None:
    run_familyseer(["--mode", "fast"], job, seed, folder)


def _tvm(name: str) -> Side:
    return lambda job, seed, folder: run_tvm_scheduler(name, job, seed, folder)


# By tuner. `mended` is TVM's side with the tensor intrinsics of its target alone, without the seconds that those of all
# take in each of its processes.
SIDES: dict[str, dict[str, Side]] = {
    "ansor": {"tvm": _tvm("tvm"), "paper": _tvm("familyseer"), "fast": _fast},
    "metaschedule": {"tvm": _tvm("tvm"), "mended": _tvm("mended"), "paper": _tvm("familyseer"), "fast": _fast},
}
_TVM_SIDES = {
    "ansor": "familyseer.experiments.tvm_side",
    "metaschedule": "familyseer.experiments.metaschedule_side",
}


def command_line_side(arguments: list[str]) -> Side:
    """`familyseer tune` with these arguments more; what they say counts."""
    return lambda job, seed, folder: run_familyseer(arguments, job, seed, folder)


def ensure_run(side: Side, job: Job, seed: int, folder: Path) -> None:
    """Does a run unless it is finished; one that was ended half way is begun anew."""
    if is_finished(folder):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    side(job, seed, folder)


def run_tvm_scheduler(scheduler: str, job: Job, seed: int, folder: Path) -> None:
    """TVM's TaskScheduler, or the drop-in with the paper's decisions; builder, runner and population are TVM's."""
    command = [*interpreter.command(_TVM_SIDES[job.tuner]), "--scheduler", scheduler]
    command += ["--network", job.network, "--target", job.target, "--trials", str(job.trials), "--seed", str(seed)]
    command += ["--cache", str(job.home / "cache"), "--out", str(folder)]
    command += ["--tasks", *map(str, job.tasks)] if job.tasks else []
    command += ["--lock", str(job.lock)] if job.lock else []
    with (folder / OUTPUT).open("w") as output, _process(command, job, output, output):
        pass
    if not is_finished(folder):
        raise RunError(f"The tuning in {folder} left no {SECONDS}, see {OUTPUT} there.")


def run_familyseer(arguments: list[str], job: Job, seed: int, folder: Path) -> None:
    """Our command line. Its clock begins with the process, TVM's once that has its tasks: to our disadvantage.

    It holds the lock all the while.
    """
    command = ["node", str(ROOT / "scripts" / "familyseer.js"), "tune", "--json"]
    command += ["--log", str(folder / RECORDS[job.tuner])]
    command += ["--model", job.network, "--target", job.target, "--trials", str(job.trials), "--seed", str(seed)]
    command += ["--only-tasks", ",".join(map(str, job.tasks))] if job.tasks else []
    seconds, finished = [], None
    with held(job.lock), (folder / EVENTS).open("w") as events, (folder / OUTPUT).open("w") as errors:
        begun = time.monotonic()
        with _process([*command, *arguments], job, subprocess.PIPE, errors) as process:
            for line in process.stdout or ():
                now = time.monotonic() - begun
                events.write(line)
                event = _event(line, folder)
                if event["type"] == "measured":
                    seconds.append(now)
                elif event["type"] == "finished":
                    finished = event
        end = time.monotonic() - begun
    if finished is None:
        raise RunError(f"The tuning in {folder} ended without a `finished` event, see {EVENTS} and {OUTPUT} there.")
    whole = folder / f"{SECONDS}.part"
    whole.write_text(json.dumps({"seconds": seconds, "end": end, "finished": finished}))
    whole.replace(folder / SECONDS)


def _event(line: str, folder: Path) -> dict[str, object]:
    try:
        event = json.loads(line)
        if isinstance(event["type"], str):
            return event
    except (ValueError, KeyError, TypeError):
        pass
    raise RunError(f"Not an event of `familyseer tune --json`, in {folder / EVENTS}: {line.strip()[:200]}")


@contextlib.contextmanager
def _process(command: list[str], job: Job, output: IO[str] | int, errors: IO[str]) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own, all of which is ended when the context is. Raises RunError if it fails."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "python"),
        "FAMILYSEER_HOME": str(job.home),
        "FAMILYSEER_TVM_PYTHON": sys.executable,
        "FAMILYSEER_PACKAGE": str(ROOT),
    }
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        text=True,
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )
    try:
        yield process
        code = process.wait()
    finally:
        _end(process)
    if code != 0:
        last = Path(errors.name).read_text(errors="replace").strip().splitlines()[-3:]
        raise RunError(
            f"This ended with exit code {code}: {' '.join(command)}\n"
            + "\n".join(f"  {line}" for line in last)
            + f"\nIts whole output is in {errors.name}. Runs that are finished are kept; the same command goes on."
        )


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    # What it left behind too.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
