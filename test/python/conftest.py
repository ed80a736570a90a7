"""What the tests of Python share."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "timed: holds times against each other, so that nothing else should run beside it"
    )
