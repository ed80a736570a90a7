"""Logs of any tuner that anyone may have written: their lines, and what is told of those that are of no use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from .errors import RequestError
from .wire import messages

R = TypeVar("R")

_ELSEWHERE: frozenset[messages.SkipReason] = frozenset({"other-task", "other-target", "other-device"})
# Of each reason so many line numbers are told.
_LINES_TOLD = 10
# Of what a line says so many characters are told.
_CHARACTERS_TOLD = 200


class UnusableError(Exception):
    """Why a line is left out, and what it says of that: its target, or its version."""

    def __init__(self, reason: messages.SkipReason, of: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.of = of


class Skipped:
    """The lines that were left out, by their numbers, for each reason and what the lines say of it."""

    def __init__(self) -> None:
        self.lines: dict[tuple[messages.SkipReason, str | None], list[int]] = {}

    def add(self, unusable: UnusableError, line: int) -> None:
        self.lines.setdefault((unusable.reason, unusable.of), []).append(line)

    @property
    def count(self) -> int:
        return sum(len(lines) for lines in self.lines.values())

    @property
    def unusable(self) -> list[int]:
        """Lines that are of use to nobody; not those of other tasks and targets."""
        return [line for (reason, _), lines in self.lines.items() if reason not in _ELSEWHERE for line in lines]

    @property
    def elsewhere(self) -> list[int]:
        """Lines of other tasks and targets."""
        return [line for (reason, _), lines in self.lines.items() if reason in _ELSEWHERE for line in lines]

    def described(self) -> list[messages.Skipped]:
        """As the protocol has it (`load`)."""
        return [
            {"reason": reason, "of": of, "count": len(lines), "lines": lines[:_LINES_TOLD]}
            for (reason, of), lines in self.lines.items()
        ]

    def __str__(self) -> str:
        return "; ".join(_in_words(reason, of, lines) for (reason, of), lines in self.lines.items())


@dataclass(frozen=True)
class LogPart(Generic[R]):
    """What was read of a log: the records oldest first, and how many of them another TVM version wrote, which names
    tasks otherwise."""

    records: list[R]
    skipped: Skipped
    matched: int


def lines_of(path: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
    """The lines in the bytes `start` to `stop` of a log that are not empty, with their numbers in all of it.

    Raises RequestError for a file that cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            number = _line_breaks(file, start)
            for line in file:
                if stop is not None and start >= stop:
                    return
                start += len(line)
                number += 1
                if line.strip():
                    yield number, line
    except OSError as error:
        raise RequestError(
            f"The log {path} cannot be read ({error.strerror}). Expected a file a tuning wrote."
        ) from None


def told(text: str) -> str:
    """What anyone may have written, as a message can have it: one short line of characters that can be shown."""
    shown = "".join(character if character.isprintable() else "?" for character in text[:_CHARACTERS_TOLD])
    return shown + ("..." if len(text) > _CHARACTERS_TOLD else "")


def _in_words(reason: messages.SkipReason, of: str | None, lines: list[int]) -> str:
    """E.g. `2 of other tasks (line 3, 7)`."""
    words = messages.SKIP_REASONS[reason].replace("{}", of or "")
    first = ", ".join(map(str, lines[:_LINES_TOLD])) + (", ..." if len(lines) > _LINES_TOLD else "")
    return f"{len(lines)} {words} (line {first})"


def _line_breaks(file: Any, until: int) -> int:
    """Reads a file up to a byte; how many lines end before it."""
    count = 0
    while until > 0:
        chunk = file.read(min(until, 1 << 20))
        if not chunk:
            break
        until -= len(chunk)
        count += chunk.count(b"\n")
    return count
