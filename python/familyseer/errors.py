"""What a worker can refuse; the kind tells the other side which of its errors to raise."""

from __future__ import annotations


class RequestError(Exception):
    """The request cannot be done as asked: a wrong name, file or state. The message says what was expected."""

    kind = "invalid-request"
