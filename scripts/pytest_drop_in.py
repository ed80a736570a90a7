"""A pytest plugin that puts our TaskScheduler in TVM's place."""

from __future__ import annotations

import familyseer


def pytest_configure() -> None:
    familyseer.install()


def pytest_report_header() -> str:
    from tvm import auto_scheduler

    return f"TaskScheduler: {auto_scheduler.TaskScheduler.__module__}"
