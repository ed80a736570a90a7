"""What a worker can refuse, and what the drop-in TaskScheduler can end with."""

from __future__ import annotations


class RequestError(Exception):
    """The request cannot be done as asked: a wrong name, file or state. The message says what was expected."""

    kind = "invalid-request"


class InstallationError(RuntimeError):
    """Node or the orchestrator is missing or of a wrong version; the message says how to get it."""


class OrchestratorLostError(RuntimeError):
    """The orchestrator ended in the middle of a job. What was measured is in the log."""


class DevicesError(RequestError):
    """There is nothing to measure on: a tracker or its servers are gone. The message says which and what to do."""

    kind = "error"
