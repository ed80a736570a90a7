"""Which room imports which: the contracts in pyproject.toml, and what breaks one (`npm run check` runs the same)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("importlinter")

PYTHON = Path(__file__).parents[2] / "python"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package to plant imports in."""
    shutil.copytree(PYTHON, tmp_path / "python", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "python" / "familyseer"


def contracts_of(package: Path) -> tuple[int, str]:
    """The exit code, and what is said, with single spaces."""
    lint = Path(sys.executable).with_name("lint-imports")
    command = [sys.executable, str(lint), "--no-cache", str(package.parent / "pyproject.toml")]
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    done = subprocess.run(command, cwd=package.parent, env=environment, capture_output=True, text=True)
    return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)


def plant(module: Path, line: str) -> None:
    module.write_text(f"{module.read_text()}\n\ndef _planted() -> None:\n    {line}\n")


def test_the_rooms_keep_the_contracts(package: Path) -> None:
    code, said = contracts_of(package)
    assert code == 0, said
    assert re.search(r"Contracts: [3-9] kept, 0 broken", said)


@pytest.mark.parametrize(
    ("module", "line", "contract", "named"),
    [
        (
            "learning/draft.py",
            "from ..measuring import engine",
            "A room imports only from rooms below it BROKEN",
            "familyseer.learning.draft -> familyseer.measuring.engine",
        ),
        (
            "measuring/speeds.py",
            "from ..operations import Operations",
            "A room imports only from rooms below it BROKEN",
            "familyseer.measuring.speeds -> familyseer.operations",
        ),
        (
            "learning/draft.py",
            "import tvm",
            "needs no TVM BROKEN",
            "familyseer.learning.draft -> tvm",
        ),
        ("errors.py", "from . import targets", "There is no circle BROKEN", ".targets -> .errors"),
        (
            "search/recipes.py",
            "from ..ansor import steps",
            "the one that chooses it BROKEN",
            "familyseer.search.recipes -> familyseer.ansor.steps",
        ),
        (
            "ansor/steps.py",
            "from ..search import recipes",
            "that it serves BROKEN",
            "familyseer.ansor.steps -> familyseer.search.recipes",
        ),
    ],
)
def test_an_import_against_a_contract_is_named(
    package: Path, module: str, line: str, contract: str, named: str
) -> None:
    plant(package / module, line)
    code, said = contracts_of(package)
    assert code == 1
    assert contract in said
    assert named in said, said


def test_tvms_auto_scheduler_and_relay_are_imported_by_no_other_room(package: Path) -> None:
    def banned() -> list[str]:
        ruff = Path(sys.executable).with_name("ruff")
        command = [str(ruff), "check", "--no-cache", "--select", "TID251", "--output-format", "concise", "."]
        done = subprocess.run(command, cwd=package.parent, capture_output=True, text=True)
        return [line.split(":")[0] for line in done.stdout.splitlines() if "TID251" in line]

    assert banned() == []
    plant(package / "learning" / "draft.py", "from tvm import auto_scheduler")
    plant(package / "measuring" / "build.py", "from tvm import relay")
    assert sorted(banned()) == ["familyseer/learning/draft.py", "familyseer/measuring/build.py"]
