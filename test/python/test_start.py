"""How Pythons are started: what is missing is named, all of it, and the current folder's files are not taken for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import familyseer
import pytest
from familyseer import interpreter
from familyseer.measuring.build import link_here
from familyseer.needed import NEEDED

PACKAGE = Path(familyseer.__file__).parent
START = str(PACKAGE / "start.py")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder that holds files of the names of Python's own modules."""
    for name in ("random", "inspect", "argparse", "runpy", "tempfile", "psutil"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('a file of the current folder was imported')")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True)


def test_nothing_is_imported_from_the_current_folder(folder: Path) -> None:
    assert run(*interpreter.command("familyseer.needed")).returncode == 0
    started = run(*interpreter.command("familyseer.worker", "--help"), PYTHONPATH="")
    assert (started.returncode, started.stderr) == (0, "")
    # As a user starts a worker on another host.
    by_hand = run(sys.executable, "-m", "familyseer.worker", "--help", PYTHONPATH=str(PACKAGE.parent))
    assert (by_hand.returncode, by_hand.stderr) == (0, "")


def test_what_a_process_can_import_those_can_that_it_starts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "theirs").mkdir()
    (folder / "theirs" / "of_the_user.py").write_text("print('found')")
    monkeypatch.setattr(sys, "path", ["", "theirs", "/a:b", *sys.path])
    found = run(*interpreter.command("of_the_user"), **interpreter.environment(EXTRA="1"))
    assert found.stdout == "found\n", found.stderr
    paths = interpreter.environment()["PYTHONPATH"].split(os.pathsep)
    assert paths[0] == str(folder / "theirs") and str(folder) not in paths and "b" not in paths


def test_all_that_a_python_lacks_is_named() -> None:
    bare = run(sys.executable, "-I", "-S", START, "familyseer.needed")
    assert bare.returncode == 1
    for name in ("tvm", "zmq", "psutil", "cloudpickle", "FAMILYSEER_TVM_PYTHON"):
        assert name in bare.stderr


@pytest.mark.parametrize(
    ("version", "tuner", "what"),
    [("0.22.0", None, "has neither"), ("0.25.0.post1", "s_tir/meta_schedule", "has a MetaSchedule")],
)
def test_a_tvm_that_nothing_searches_with_is_named_with_those_that_will_do(
    tmp_path: Path, version: str, tuner: str | None, what: str
) -> None:
    tvm = tmp_path / "tvm"
    (tvm / (tuner or "")).mkdir(parents=True)
    (tvm / "__init__.py").write_text("raise AssertionError('it was imported')")
    (tvm / "_version.py").write_text(f"__version__ = version = '{version}'\n")
    told = run(sys.executable, START, "familyseer.needed", PYTHONPATH=str(tmp_path))
    assert told.returncode == 1
    expected = rf"^TVM {version} in .* {what} .* Expected TVM 0\.8 to 0\.19 .*, or 0\.26 or 0\.27 "
    assert re.search(expected, told.stderr), told.stderr


def test_a_linker_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linker = tmp_path / "ld"
    linker.write_text("#!/bin/sh\necho of no use >&2\nexit 3\n")
    linker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(RuntimeError, match=r"The linker .*/ld ended with 3:\nof no use$"):
        link_here(str(tmp_path / "program.so"), [str(tmp_path / "a.o")])


def test_a_python_that_is_too_old_is_told_in_a_line() -> None:
    code = f"import runpy, sys; sys.version_info = (3, 8, 18); runpy.run_path({START!r})"
    old = run(sys.executable, "-c", code)
    assert old.returncode == 1
    assert old.stderr.endswith("Expected Python 3.9 or newer, with TVM.\n"), old.stderr
    assert old.stderr.startswith(f"{sys.executable} is Python ")


NOTHING = """
import importlib, os, pkgutil, sys
import familyseer, tvm
before, registered = dict(os.environ), []
tvm.register_func = lambda name, *_, **__: registered.append(name)
names = [each.name for each in pkgutil.walk_packages(familyseer.__path__, "familyseer.")]
for name in names:
    # Some are for their effect: one is promised to users (docs/cuda.md), the others are programs.
    if name != "familyseer.cuda" and not name.startswith("familyseer.experiments."):
        try:
            importlib.import_module(name)
        except ImportError as missing:
            # What is for MetaSchedule needs a TVM that has it.
            assert missing.name.split(".")[0] in ("tvm", "tvm_ffi"), name
            assert name.startswith(("familyseer.metaschedule.", "familyseer.drop_in.")), name
assert len(names) > 30 and (registered, dict(os.environ)) == ([], before), registered
from familyseer.nvrtc import register
register()
register()
print(registered)
"""


def test_an_import_registers_nothing_and_changes_no_environment(tmp_path: Path) -> None:
    ended = run(sys.executable, "-c", NOTHING, PYTHONPATH=os.pathsep.join(sys.path), PATH=str(tmp_path))
    assert ended.stdout == "['tvm_callback_cuda_compile']\n", ended.stderr
    promise = "import familyseer.cuda as cuda; print(cuda.register.cache_info().currsize)"
    promised = run(sys.executable, "-c", promise, PYTHONPATH=os.pathsep.join(sys.path))
    assert promised.stdout == "1\n", promised.stderr


def test_a_home_that_cannot_be_written_is_no_matter_and_stays_out_of_the_environment() -> None:
    code = (
        "import os; from familyseer import interpreter; before = dict(os.environ); interpreter.import_tvm(); "
        "assert dict(os.environ) == before; print(sorted(set(interpreter.environment()) - set(before)))"
    )
    ended = run(sys.executable, "-c", code, PYTHONPATH=os.pathsep.join(sys.path), HOME="/proc")
    assert "TEST_DATA_ROOT_PATH" in ended.stdout, ended.stderr


def test_what_is_needed_is_what_the_package_and_set_up_install() -> None:
    project = (PACKAGE.parent / "pyproject.toml").read_text()
    listed = re.search(r"^dependencies = \[(.*)\]$", project, re.M)
    assert listed
    dependencies = re.findall(r'"([\w.-]+)', listed[1])
    # TVM brings what it needs itself, or its user has it.
    assert sorted(dependencies) == sorted(set(NEEDED.values()) - {NEEDED["tvm"], "numpy", "xgboost"})
    for name in ("requirements.in", "requirements-before-0.18.in", "requirements-0.26.in", "requirements-0.27.in"):
        pinned = re.findall(r"^([\w.-]+)==", (PACKAGE.parent / name).read_text(), re.M)
        # Without CUDA it has another name.
        assert {each.replace("xgboost-cpu", "xgboost") for each in pinned} >= set(NEEDED.values()) - {NEEDED["tvm"]}
    oldest = re.search(r'^requires-python = ">=3\.(\d+)"$', project, re.M)
    assert oldest and f"sys.version_info < (3, {oldest[1]})" in Path(START).read_text()
