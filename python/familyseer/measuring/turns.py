"""Whose turn it is to time on a device of this machine, among all of the user's jobs.

Programs that are timed at once on one CPU or GPU slow each other. So each device has a file that the kernel locks for
one job while a program of it is timed; the lock ends with its process, however that ends. Who waits holds a second
lock, the front of the queue, without which nobody may take the first: a job that times one program after another lets
others in between.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

# How often to ask for a turn that another has.
ASK_SECONDS = 0.02
# A turn is one program long. Who had to wait so long waits for a job that was stopped, or hangs.
_PATIENCE_SECONDS = 120.0
# What was not asked for in so long has nothing to time any more.
_ASKED_SECONDS = 1.0


class Turns:
    """What one job takes turns at. Nothing here waits but `waited_for`."""

    def __init__(self, folder: Path | None = None, patience: float = _PATIENCE_SECONDS) -> None:
        # Not the folder of temporary files, which may be another for each job.
        self._folder = folder or Path(f"/tmp/familyseer-{os.getuid()}")
        self._patience = patience
        self._turns: dict[str, _Turn] = {}
        self._waited: dict[str, float] = {}
        self._without: dict[str, str] = {}

    def take(self, device: str | None) -> bool:
        """Whether a program may be timed on a device now: `cpu`, `gpu-1`; None: nobody else times there.

        Ask again in ASK_SECONDS if not. What cannot be locked is taken all the same, and so is, after two minutes, a
        turn that nobody gives back; `notices` tells that.
        """
        if device is None:
            return True
        try:
            turn = self._turns.get(device) or self._turns.setdefault(device, _Turn(self._folder, device))
            taken = turn.take()
        except OSError as error:
            self._without[device] = f"other jobs are not kept from it ({error})"
            return True
        waited = turn.waited()
        if not taken and waited >= self._patience:
            self._without[device] = f"another job has kept it for {waited:.0f} s, and is waited for no longer"
            turn.given_up = True
        if not taken and not turn.given_up:
            return False
        turn.leave_queue()
        self._waited[device] = self._waited.get(device, 0.0) + waited
        return True

    @contextlib.contextmanager
    def waited_for(self, device: str | None) -> Iterator[float]:
        """Waits for a turn, which is given back at the end; gives the seconds that it was waited for."""
        begun = time.monotonic()
        while not self.take(device):
            time.sleep(ASK_SECONDS)
        try:
            yield time.monotonic() - begun
        finally:
            self.give_back(device)

    def give_back(self, device: str | None) -> None:
        """The program has been timed."""
        turn = self._turns.get(device or "")
        if turn is not None:
            turn.give_back()

    def are_awaited(self) -> bool:
        """Whether to ask again soon. A turn that was not asked for lately is not waited for any more."""
        for turn in self._turns.values():
            turn.leave_queue_unless_asked()
        return any(turn.asked is not None for turn in self._turns.values())

    def notices(self) -> list[str]:
        """What the user is to be told of other jobs since this was last asked, a line each."""
        waited, self._waited = self._waited, {}
        without, self._without = self._without, {}
        lines = [f"Timing on {_words(device)}: {why}." for device, why in without.items()]
        for device, turn in list(self._turns.items()):
            seconds = waited.get(device, 0.0)
            others = seconds >= ASK_SECONDS or (device in waited and not turn.is_alone())
            if others and device == "cpu":
                lines.append(
                    f"Another job is tuning on this CPU: waited {seconds:.1f} s for it to time programs; its searches "
                    "and builds may have slowed what was timed here."
                )
            elif seconds >= ASK_SECONDS:
                lines.append(f"Another job was timing on {_words(device)}: waited {seconds:.1f} s for it.")
        return lines

    def close(self) -> None:
        """Leaves all turns to others."""
        for turn in self._turns.values():
            turn.close()
        self._turns = {}


class _Turn:
    """One device's locks: its turn, the front of its queue, and who is there at all."""

    def __init__(self, folder: Path, device: str) -> None:
        """Raises OSError where there can be none."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise PermissionError(f"{folder} is another user's")
        self._turn, self._front, self._jobs = (_Lock(folder / f"{device}.{kind}") for kind in ("turn", "front", "jobs"))
        self._jobs.take(fcntl.LOCK_SH)
        # Since when it is waited for, and when it was last asked for.
        self.asked: float | None = None
        self._asked_last = 0.0
        # Whoever has it is not waited for.
        self.given_up = False

    def take(self) -> bool:
        self._asked_last = time.monotonic()
        if self._front.take() and self._turn.take():
            self.given_up = False
            return True
        if self.asked is None:
            self.asked = self._asked_last
        return False

    def waited(self) -> float:
        return 0.0 if self.asked is None else time.monotonic() - self.asked

    def leave_queue(self) -> None:
        self.asked = None
        self._front.give_back()

    def leave_queue_unless_asked(self) -> None:
        if self.asked is not None and time.monotonic() - self._asked_last > _ASKED_SECONDS:
            self.leave_queue()

    def give_back(self) -> None:
        self._turn.give_back()

    def is_alone(self) -> bool:
        """Whether no other job is on the device. Two that ask at the same moment may both be told that."""
        alone = self._jobs.take(fcntl.LOCK_EX)
        self._jobs.take(fcntl.LOCK_SH)
        return alone

    def close(self) -> None:
        for lock in (self._turn, self._front, self._jobs):
            lock.close()


class _Lock:
    """A lock of the kernel's on a file, which is made again if something removes it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._open()

    def take(self, kind: int = fcntl.LOCK_EX) -> bool:
        """Whether it is taken now, or was before."""
        self._reopen_if_removed()
        try:
            fcntl.flock(self._file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def give_back(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._file)

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _reopen_if_removed(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == os.fstat(self._file).st_ino:
                return
        os.close(self._file)
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        self._file = self._open()


def _words(device: str) -> str:
    return "this CPU" if device == "cpu" else f"GPU {device.removeprefix('gpu-')}"
