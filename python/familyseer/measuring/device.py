"""What the engine asks of the devices that programs run on, and this machine as one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable, Protocol

from ..targets import on_cpu

if TYPE_CHECKING:
    from .run import Ran, RunRequest
    from .run_remote import Lost


class Device(Protocol):
    """Where one program at a time can run."""

    @property
    def name(self) -> str: ...

    @property
    def duty(self) -> str:
        """What its runner does (fork_server)."""

    @property
    def extra_seconds(self) -> float:
        """How much longer than a program's time limit its runner may take."""

    def exclusive(self, target: str) -> bool:
        """Whether a program of the target is timed on CPUs of this machine."""

    def timed_on(self, target: str, index: int) -> str | None:
        """What other jobs may be timing on too (turns.py); `index` as in the timing settings."""

    def compared(self, target: str) -> bool:
        """Whether it may be of another speed than the other devices (speeds.py)."""

    def question(self, request: RunRequest) -> Any:
        """What its runner is asked."""


class LocalDevice:
    """This machine itself: its CPU, or the GPU of the timing settings."""

    name = "local"
    duty = "run"
    extra_seconds = 0.0

    def exclusive(self, target: str) -> bool:
        return on_cpu(target)

    def timed_on(self, target: str, index: int) -> str:
        return "cpu" if self.exclusive(target) else f"gpu-{gpu_name(index)}"

    def compared(self, target: str) -> bool:
        return False

    def question(self, request: RunRequest) -> RunRequest:
        return request


def gpu_name(index: int) -> str:
    """The machine's own name of the GPU that is number `index` to this process: its number there, as a rule."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return visible[index] if index < len(visible) and visible[index] else str(index)


class Devices(Protocol):
    """The devices there are; they may come and go. Nothing here waits."""

    here: bool
    """Whether they load what this machine's linker makes."""

    def on_change(self, changed: Callable[[], None]) -> None:
        """Has `changed` called when there may be a device more or less."""

    def now(self, waiting: int) -> Sequence[Device]:
        """The devices that programs can begin on or run on, `waiting` being how many programs could begin at once.

        A device that is left out here gets no more programs, and its runner is ended. Raises an error that says why
        if nothing can be measured any more.
        """

    def ended(self, device: Any, ran: Ran | Lost | None) -> None:
        """A program is done on a device; None: its runner did not answer."""

    def tell(self, notice: str) -> None:
        """Keeps a line for whoever asks for `notices`."""

    def notices(self) -> list[str]:
        """What the user is to be told of the devices since this was last asked, a line each."""

    def close(self) -> None: ...


class LocalDevices:
    """This machine alone."""

    here = True

    def __init__(self) -> None:
        self._devices = [LocalDevice()]

    def on_change(self, changed: Callable[[], None]) -> None:
        pass

    def now(self, waiting: int) -> Sequence[Device]:
        return self._devices

    def ended(self, device: Any, ran: Ran | Lost | None) -> None:
        pass

    def tell(self, notice: str) -> None:
        pass

    def notices(self) -> list[str]:
        return []

    def close(self) -> None:
        pass
