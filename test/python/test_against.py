"""Networks in other runtimes: the same as in TVM, or refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from familyseer import rivals
from familyseer.ansor import networks
from familyseer.ansor.backend import Ansor
from familyseer.errors import RequestError
from familyseer.rivals import RUNTIMES, check_rival
from familyseer.rivals.process import seconds_of_runs
from familyseer.rivals.rival import Rival, largest_difference
from rival_networks import CONVOLUTIONAL, TRANSFORMERS, against_onnx, make_small, run_against

ONNX_FILE = "test/cases/cnn_dyn_bhw.onnx"
IMAGE = {"name": "input", "shape": [1, 3, 32, 32], "dtype": None}


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("onnxruntime", "net.pt"),
        ("onnxruntime", "net.json"),
        ("onnxruntime", "resnet-18"),
    ],
)
def test_what_a_runtime_cannot_run_is_refused_with_what_it_can(name: str, model: str) -> None:
    with pytest.raises(RequestError) as refused:
        check_rival(name, model)
    words = str(refused.value)
    assert words.startswith(f"{RUNTIMES[name].words} cannot run {model}. Expected a file that ends with .")
    assert "resnet50_v1" in words and f"leave {name} out of --against" in words


@pytest.mark.parametrize(("name", "model"), [("onnxruntime", "net.onnx"), ("onnxruntime", "bert_large")])
def test_a_runtime_that_is_not_installed_is_refused_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, name: str, model: str
) -> None:
    monkeypatch.setitem(rivals.RUNTIMES, name, replace(RUNTIMES[name], module="no_such_module"))
    with pytest.raises(RequestError, match=rf"{sys.executable} -m pip install {RUNTIMES[name].package}; or leave"):
        check_rival(name, model)


def test_a_runtime_that_fails_is_refused_with_its_own_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('libonnx is broken')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RequestError, match=r"ONNX Runtime cannot run the network: libonnx is broken\. Leave it out"):
        Rival("onnxruntime", "net.onnx", 1, "NCHW", {"x": np.zeros(1)}, None, [0])


def test_a_runtime_whose_process_is_killed_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text("import os; os.kill(os.getpid(), 9)")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RequestError, match="its process ended before it answered"):
        Rival("onnxruntime", "net.onnx", 1, "NCHW", {"x": np.zeros(1)}, None, [0])


def test_outputs_are_compared_as_a_whole_network_s() -> None:
    one, two = np.array([1.0, -8.0]), np.array([1.5, -8.0])
    assert largest_difference([one, one], [one, two]) == (0.5, 8.0)
    assert largest_difference([one], [one, two]) is None
    assert largest_difference([one], [one.reshape(2, 1)]) is None
    odd = np.array([1.0, np.nan])
    assert largest_difference([odd], [odd]) == (0.0, 1.0)
    assert largest_difference([odd], [one]) is None


def test_a_timing_takes_as_many_runs_as_its_least_time_needs() -> None:
    runs = 0

    def run() -> None:
        nonlocal runs
        runs += 1

    seconds = seconds_of_runs(run, 3, 2)
    assert len(seconds) == 3 and all(0 < each < 1e-3 for each in seconds)
    assert runs * max(seconds) >= 6e-3


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_a_convolutional_network_by_name_is_the_same_in_onnx(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, layout: str
) -> None:
    make_small(monkeypatch, networks.PAPER, networks.classifier)
    difference, largest = against_onnx(Ansor(), CONVOLUTIONAL, layout, tmp_path)
    assert difference < 1e-5 * largest


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_transformer_by_name_is_the_same_in_onnx(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    make_small(monkeypatch, networks.PAPER, networks.classifier)
    difference, largest = against_onnx(Ansor(), name, "NHWC", tmp_path)
    assert difference < 1e-4 * largest


def test_a_file_is_timed_beside_onnx_runtime() -> None:
    pytest.importorskip("onnxruntime", reason="the Python with TVM has no onnxruntime")
    run_against(Ansor(), "onnxruntime", ONNX_FILE, [IMAGE])


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_network_by_name_is_timed_beside_another_runtime(name: str) -> None:
    package = RUNTIMES[name].module
    pytest.importorskip(package, reason=f"the Python with TVM has no {package}")
    run_against(Ansor(), name, CONVOLUTIONAL, [])


def test_other_runtimes_are_imported_in_their_own_process_alone() -> None:
    imported = "import sys, familyseer.operations; print({'onnxruntime', 'torch', 'onnx'} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", imported], capture_output=True, text=True, check=True).stdout
    assert printed == "set()\n"
