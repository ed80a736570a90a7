"""The tuners that are compared, each run as a process in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Callable

from familyseer import interpreter
from familyseer.targets import is_simulated

from .lock import held
from .runs import RECORDS, SECONDS, RunError, is_finished

ROOT = Path(__file__).resolve().parents[2]
GRACE_SECONDS = 10
# The exit code of `familyseer tune` after Ctrl-C.
INTERRUPTED = 130
OUTPUT, EVENTS, SIDE = "output.txt", "events.jsonl", "side.json"
SIMULATED_TUNE = str(ROOT / "dist" / "bench" / "tune-simulated.js")


@dataclass(frozen=True)
class Job:
    """What every side tunes. `tasks` are ids, none for all; `home` is $FAMILYSEER_HOME. `most_seconds` are
    limits by side, of "" that of all others."""

    tuner: str
    network: str
    target: str
    tasks: tuple[int, ...]
    trials: int
    home: Path
    lock: Path | None
    most_seconds: Mapping[str, float] = field(default_factory=dict)

    def limited_to(self, side: str) -> float | None:
        """The seconds after which a side of a name begins no round more; None: there is no limit."""
        return self.most_seconds.get(side, self.most_seconds.get(""))


@dataclass(frozen=True)
class Side:
    """`tune` tunes a job with a seed, within so many seconds, and leaves TVM's log (`RECORDS`) and seconds.json in the
    folder, or raises RunError. `arguments` say what it is."""

    arguments: list[str]
    tune: Callable[[list[str], Job, int, float | None, Path], None]


_TVM_SIDES = {
    "ansor": "familyseer.experiments.tvm_side",
    "metaschedule": "familyseer.experiments.metaschedule_side",
}


def ensure_run(side: Side, job: Job, seed: int, most_seconds: float | None, folder: Path) -> bool:
    """Does a run unless it is finished, and returns if it did; one that was ended half way is begun anew.

    Raises RunError if the run failed.
    """
    if is_finished(folder):
        return False
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / SIDE).write_text(json.dumps({"arguments": side.arguments, "revision": _revision()}))
    side.tune(side.arguments, job, seed, most_seconds, folder)
    return True


def require_same(side: Side, folder: Path) -> None:
    """Raises RunError if the folder has a finished run of another side, as far as it says so."""
    arguments = _told(folder).get("arguments", side.arguments)
    if is_finished(folder) and arguments != side.arguments:
        raise RunError(
            f"The run in {folder} was of {shlex.join(arguments)}, and now this side is {shlex.join(side.arguments)}. "
            "Expected another name for another side; delete the folder to have the run done again."
        )


def revision_of(folder: Path) -> str | None:
    """Of the sources that a run is of; None where it is not known."""
    return _told(folder).get("revision")


def _told(folder: Path) -> dict[str, Any]:
    """What a run's folder says it is of; runs of before say nothing."""
    file = folder / SIDE
    return json.loads(file.read_text()) if file.exists() else {}


def _revision() -> str | None:
    """Of the sources that are here; None where there is no git."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def run_tvm_scheduler(arguments: list[str], job: Job, seed: int, most_seconds: float | None, folder: Path) -> None:
    """TVM's TaskScheduler, or the drop-in with the paper's decisions; builder, runner and population are TVM's."""
    command = [*interpreter.command(_TVM_SIDES[job.tuner]), *arguments]
    command += ["--network", job.network, "--target", job.target, "--trials", str(job.trials), "--seed", str(seed)]
    command += ["--cache", str(job.home / "cache"), "--out", str(folder)]
    command += ["--tasks", *map(str, job.tasks)] if job.tasks else []
    command += ["--lock", str(job.lock)] if job.lock else []
    command += ["--most-seconds", str(most_seconds)] if most_seconds is not None else []
    with (folder / OUTPUT).open("w") as output, _process(command, job, output, output):
        pass
    if not is_finished(folder):
        raise RunError(f"The tuning in {folder} left no {SECONDS}, see {OUTPUT} there.")


def run_familyseer(arguments: list[str], job: Job, seed: int, most_seconds: float | None, folder: Path) -> None:
    """Our command line. Its clock begins with the process, TVM's once that has its tasks: to our disadvantage.

    It holds the lock all the while.
    """
    program = [SIMULATED_TUNE] if is_simulated(job.target) else [str(ROOT / "scripts" / "familyseer.js"), "tune"]
    command = ["node", *program, "--json"]
    command += ["--log", str(folder / RECORDS[job.tuner])]
    command += ["--model", job.network, "--target", job.target, "--trials", str(job.trials), "--seed", str(seed)]
    command += ["--only-tasks", ",".join(map(str, job.tasks))] if job.tasks else []
    seconds, finished = [], None
    with held(job.lock), (folder / EVENTS).open("w") as events, (folder / OUTPUT).open("w") as errors:
        begun = time.monotonic()
        with _process([*command, *arguments], job, subprocess.PIPE, errors, most_seconds) as process:
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
def _process(
    command: list[str], job: Job, output: IO[str] | int, errors: IO[str], most_seconds: float | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own, all of which is ended when the context is. After `most_seconds` it is
    interrupted as by Ctrl-C. Raises RunError if it fails."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "python"),
        "FAMILYSEER_HOME": str(job.home),
        "FAMILYSEER_TVM_PYTHON": sys.executable,
        "FAMILYSEER_PACKAGE": str(ROOT),
        # What earlier jobs found is of no use to a run, unless a side's arguments name a library.
        "FAMILYSEER_LIBRARY": "none",
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
    interrupt = threading.Timer(most_seconds or 0, process.send_signal, [signal.SIGINT])
    if most_seconds is not None:
        interrupt.start()
    try:
        yield process
        code = process.wait()
    finally:
        interrupt.cancel()
        _end(process)
    if code != 0 and (code != INTERRUPTED or most_seconds is None):
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


def command_line_side(arguments: list[str]) -> Side:
    """`familyseer tune` with these arguments more; what they say counts."""
    return Side(arguments, run_familyseer)


def _tvm(name: str) -> Side:
    return Side(["--scheduler", name], run_tvm_scheduler)


# By tuner. `mended` is TVM's side with the tensor intrinsics of its target alone, without the seconds that those of all
# take in each of its processes.
SIDES: dict[str, dict[str, Side]] = {
    "ansor": {"tvm": _tvm("tvm"), "paper": _tvm("familyseer"), "fast": command_line_side(["--mode", "fast"])},
    "metaschedule": {
        "tvm": _tvm("tvm"),
        "mended": _tvm("mended"),
        "paper": _tvm("familyseer"),
        "fast": command_line_side(["--mode", "fast"]),
    },
}
