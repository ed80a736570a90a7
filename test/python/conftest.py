"""What the tests of Python share."""

from __future__ import annotations

import importlib.util
import os

import pytest

# MetaSchedule's tests are for TVMs that have it, all others for those before.
collect_ignore = [] if importlib.util.find_spec("tvm.s_tir") else ["metaschedule"]


def pytest_configure(config: pytest.Config) -> None:
    # No test depends on what was tuned on this machine before, nor leaves anything for later tunings.
    os.environ["FAMILYSEER_LIBRARY"] = "none"
    config.addinivalue_line(
        "markers", "timed: holds times against each other, so that nothing else should run beside it"
    )
