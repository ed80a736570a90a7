"""A pytest plugin that puts our TaskScheduler in TVM's place, of the tuner that this TVM has.

`$FAMILYSEER_POLICY` names another policy for MetaSchedule than TVM's own decisions.
"""

from __future__ import annotations

import os

from familyseer.backends import default_backend

TUNER = default_backend().name


def pytest_configure() -> None:
    if TUNER == "ansor":
        import familyseer

        familyseer.install()
    else:
        import familyseer.metaschedule

        named = os.environ.get("FAMILYSEER_POLICY")
        familyseer.metaschedule.install(*([named] if named else []))


def pytest_report_header() -> str:
    if TUNER == "ansor":
        from tvm import auto_scheduler

        return f"TaskScheduler: {auto_scheduler.TaskScheduler.__module__}"
    from tvm.s_tir import meta_schedule as ms

    made = ms.task_scheduler.TaskScheduler.create("gradient")
    return f"TaskScheduler: {type(made).__module__}, {made.policy}"
