"""Which of the programs that wait in the engine is next."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from familyseer.measuring.program import Queued
from familyseer.measuring.run import Timing
from familyseer.measuring.waiting import Waiting


def queued(name: str, held: bool = False) -> Queued:
    program: Any = SimpleNamespace(words=name)
    return Queued(program, Timing(), held=held)


def test_what_is_to_be_measured_now_is_built_before_what_is_built_ahead() -> None:
    waiting = Waiting()
    ahead, later, now = queued("ahead", held=True), queued("later", held=True), queued("now")
    for program in (ahead, later, now):
        waiting.submit(program)
    waiting.release(later.future)
    waiting.accept(lambda program, built: None)
    order = []
    while (program := waiting.next_to_build()) is not None:
        order.append(program.words)
        waiting.to_build.remove(program)
    assert order == ["later", "now", "ahead"]
