"""What is recorded of MetaSchedule's task schedulers is what this TVM's decide."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripted_jobs import run

RECORDED = sorted((Path(__file__).parents[2] / "conformance/metaschedule").glob("*.json"))


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_the_real_schedulers_decide_as_recorded(file: Path) -> None:
    recorded = json.loads(file.read_text())
    assert run(recorded["scenario"]) == recorded["metaschedule"]
