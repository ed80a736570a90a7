"""What builders of MetaSchedule's programs load before any is forked. Nothing else imports this."""

from __future__ import annotations

from . import intrinsics, programs

__all__ = ["programs"]

intrinsics.stand_in()
