"""Why a program failed. The kind is decided here alone; the kinds are the protocol's.

What is raised while a program is built or run has the kind of what was being done (`WHILE_...`). The others are for
what never comes back: a process that ended, a device that went away, a limit that was reached.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import MESSAGE_LENGTH

if TYPE_CHECKING:
    from ..wire.messages import FailureKind

WHILE_INSTANTIATING: FailureKind = "instantiation"
WHILE_COMPILING: FailureKind = "compile-host"
WHILE_LOADING: FailureKind = "compile-device"
WHILE_RUNNING: FailureKind = "runtime"


@dataclass(frozen=True)
class Failure:
    """What went wrong with a program. `message` is None where the kind says it all."""

    kind: FailureKind
    message: str | None = None


BUILD_TIMEOUT = Failure("build-timeout")
RUN_TIMEOUT = Failure("run-timeout")
BUILDER_ENDED = Failure("compile-host", "The builder ended while it built this program.")
RUNNER_ENDED = Failure("runtime", "The runner ended while it ran this program.")


def raised(kind: FailureKind) -> Failure:
    """Of the exception that is being handled, which came while a program was at what `kind` is of."""
    return Failure(kind, traceback.format_exc().strip()[-MESSAGE_LENGTH:])


def devices_lost(names: Sequence[str]) -> Failure:
    """Of a program that several devices went away with."""
    return Failure("runtime", f"The devices {' and '.join(names)} went away while they ran this program.")
