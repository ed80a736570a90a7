"""What a worker can refuse, and what the drop-in TaskScheduler can end with."""

from __future__ import annotations

from typing import Literal

# Of a longer message the end is told, where an error says what it is; of one about a message, the beginning.
MESSAGE_LENGTH = 2000


class RequestError(Exception):
    """The request cannot be done as asked: a wrong name, file or state. The message says what was expected."""

    kind: Literal["invalid-request", "error"] = "invalid-request"


class InstallationError(RuntimeError):
    """Node or the orchestrator is missing or of a wrong version; the message says how to get it."""


class OrchestratorLostError(RuntimeError):
    """The orchestrator ended in the middle of a job. What was measured is in the log."""


class DevicesError(RequestError):
    """There is nothing to measure on: a tracker or its servers are gone. The message says which and what to do."""

    kind = "error"


def last_line(error: Exception) -> str:
    """What TVM says is the last line of what it raises; before it comes where."""
    if isinstance(error, KeyError):
        return f"there is no {error} in it"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
