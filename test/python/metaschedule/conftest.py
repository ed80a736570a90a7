"""What the tests of MetaSchedule share."""

from __future__ import annotations

import pytest
from familyseer.metaschedule.target import MetaTarget, parse_target


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "timed: holds times against each other, so that nothing else should run beside it"
    )


@pytest.fixture(scope="session")
def target() -> MetaTarget:
    """A CPU that any machine of the tests' can be taken for."""
    return parse_target("llvm -num-cores=2")
