"""Whose turn it is to time on a device: one job at a time, each in its turn, and nobody waits for the dead."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from familyseer.measuring.turns import ASK_SECONDS, Turns

pytestmark = pytest.mark.timed

HOLDER = """
import sys, time
from pathlib import Path
from familyseer.measuring.turns import Turns
assert Turns(Path(sys.argv[1])).take("cpu")
print("taken", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[Callable[..., Turns]]:
    made = []

    def make(**options: Any) -> Turns:
        made.append(Turns(tmp_path, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_one_job_at_a_time_has_a_device(turns: Callable[..., Turns]) -> None:
    ours, theirs = turns(), turns()
    assert ours.take("cpu") and not theirs.take("cpu")
    assert theirs.take("gpu-0") and not ours.take("gpu-0")
    assert ours.take(None) and theirs.take(None)


def test_who_waits_is_next(turns: Callable[..., Turns]) -> None:
    ours, theirs = turns(), turns()
    for _ in range(3):
        assert ours.take("cpu") and not theirs.take("cpu") and theirs.are_awaited()
        ours.give_back("cpu")
        assert not ours.take("cpu")
        assert theirs.take("cpu") and not theirs.are_awaited()
        assert not ours.take("cpu")
        theirs.give_back("cpu")


def test_waiting_is_told_once_to_who_waited(turns: Callable[..., Turns]) -> None:
    ours, theirs = turns(), turns()
    assert ours.take("gpu-0") and not theirs.take("gpu-0")
    time.sleep(2 * ASK_SECONDS)
    ours.give_back("gpu-0")
    assert theirs.take("gpu-0")
    (told,) = theirs.notices()
    assert told.startswith("Another job was timing on GPU 0: waited 0.")
    assert theirs.notices() == ours.notices() == []


def test_another_job_on_the_cpu_is_told_though_nobody_waited_for_it(turns: Callable[..., Turns]) -> None:
    ours, theirs = turns(), turns()
    for each in (ours, theirs):
        assert each.take("cpu")
        each.give_back("cpu")
    assert "its searches and builds may have slowed" in ours.notices()[0]
    theirs.close()
    assert ours.take("cpu")
    assert ours.notices() == []


def test_a_turn_ends_with_its_process(turns: Callable[..., Turns], tmp_path: Path) -> None:
    ours = turns()
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"taken\n"
        assert not ours.take("cpu")
        holder.send_signal(signal.SIGKILL)
    assert ours.take("cpu")


def test_a_job_that_keeps_a_device_is_not_waited_for_for_ever(turns: Callable[..., Turns]) -> None:
    turns().take("gpu-0")
    ours = turns(patience=0.0)
    for _ in range(2):
        assert ours.take("gpu-0")
        ours.give_back("gpu-0")
    assert "another job has kept it for 0 s, and is waited for no longer" in ours.notices()[0]


def test_a_turn_that_is_not_asked_for_any_more_is_left_to_others(
    turns: Callable[..., Turns], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs, others = turns(), turns(), turns()
    assert ours.take("cpu") and not theirs.take("cpu")
    monkeypatch.setattr("familyseer.measuring.turns._ASKED_SECONDS", 0.0)
    assert not theirs.are_awaited()
    ours.give_back("cpu")
    assert others.take("cpu")


def test_turns_that_something_removed_are_taken_on_new_files(turns: Callable[..., Turns], tmp_path: Path) -> None:
    ours, theirs = turns(), turns()
    assert ours.take("cpu")
    ours.give_back("cpu")
    for file in tmp_path.iterdir():
        file.unlink()
    assert ours.take("cpu") and not theirs.take("cpu")


def test_where_nothing_can_be_locked_programs_are_timed_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ours = Turns(tmp_path / "file" / "folder")
    assert ours.take("cpu")
    ours.give_back("cpu")
    assert "other jobs are not kept from it" in ours.notices()[0]
