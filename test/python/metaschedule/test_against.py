"""Networks in other runtimes, beside MetaSchedule's: the same as in TVM."""

from __future__ import annotations

from pathlib import Path

import pytest
from familyseer.metaschedule import networks
from familyseer.metaschedule.backend import MetaSchedule
from familyseer.rivals import RUNTIMES
from rival_networks import CONVOLUTIONAL, TRANSFORMERS, against_onnx, make_small, run_against


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_a_convolutional_network_by_name_is_the_same_in_onnx(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, layout: str
) -> None:
    make_small(monkeypatch, networks._MAKERS, networks.classifier)
    difference, largest = against_onnx(MetaSchedule(), CONVOLUTIONAL, layout, tmp_path)
    assert difference < 1e-5 * largest


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_transformer_by_name_is_the_same_in_onnx(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    make_small(monkeypatch, networks._MAKERS, networks.classifier)
    difference, largest = against_onnx(MetaSchedule(), name, "NHWC", tmp_path)
    assert difference < 1e-4 * largest


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_network_by_name_is_timed_beside_another_runtime(name: str) -> None:
    package = RUNTIMES[name].module
    pytest.importorskip(package, reason=f"the Python with TVM has no {package}")
    run_against(MetaSchedule(), name, CONVOLUTIONAL, [])
