"""What is read from files and sockets that others might reach."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from familyseer import cache
from familyseer.ansor.tasks import _load
from familyseer.wire.channel import Channel


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    entry = tmp_path / "cache" / "tasks.pickle"
    cache.write(entry, pickle.dumps((["a task"], [1])))
    return entry


def test_a_cache_entry_that_only_the_user_can_write_is_used(entry: Path) -> None:
    assert _load(entry) == (["a task"], [1])


@pytest.mark.parametrize("mode", [0o660, 0o606])
def test_a_pickle_that_others_may_write_is_not_read(entry: Path, mode: int) -> None:
    entry.chmod(mode)
    assert _load(entry) is None
    assert entry.exists()


def test_a_pickle_in_a_folder_that_others_may_write_is_not_read(entry: Path) -> None:
    entry.parent.chmod(0o777)
    assert _load(entry) is None


def test_a_damaged_cache_entry_is_removed(entry: Path) -> None:
    entry.write_bytes(b"not a pickle")
    assert _load(entry) is None
    assert not entry.exists()


def test_a_channel_over_tcp_without_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="needs keys"):
        Channel("tcp://127.0.0.1:1", print)
