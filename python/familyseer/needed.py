"""What the worker imports beside Python's own: the one list, which set-up, doctor and the worker's start look through.

`python -m familyseer.needed` exits with 1, and says what to do, where no worker can start; else it prints what is there
and does not fit.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

# A module, and what brings it; pyproject.toml and requirements*.in name the same (test_start.py).
NEEDED = {
    "tvm": "TVM 0.8 to 0.19 with auto_scheduler, or 0.26 or 0.27 with MetaSchedule",
    "numpy": "numpy",
    "zmq": "pyzmq",
    "msgpack": "msgpack",
    "fastjsonschema": "fastjsonschema",
    "xgboost": "xgboost",
    "psutil": "psutil",
    "cloudpickle": "cloudpickle",
}

_INSTALL = (
    "run `npm run setup`, which installs all of it; or name another Python with TVM by --tvm-python or "
    "FAMILYSEER_TVM_PYTHON."
)
# Tuners, and what a TVM that has them has in its folder; the first counts.
_TUNERS = {"ansor": "auto_scheduler", "metaschedule": "s_tir/meta_schedule"}
# TVM's versions with MetaSchedule, and the versions of tvm-ffi that each works with; pip may take others, which crash.
_WORKING_FFI = {
    "0.26.0": ("0.1.14.post1", "0.1.13.post3"),
    "0.27.0.post1": ("0.1.14.post1", "0.1.14.post0"),
}
# The first that a search does, and the first that crashes; without a core file.
_TRIAL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
sys.path[:] = [path for path in sys.path if path]
import tvm
tvm.ir.save_json(tvm.tirx.IntImm("int32", 1))
"""


def hindrance() -> str | None:
    """Why no worker can start here, and what to do; None: it can. Imports none of it into this process."""
    return missing() or _without_tuner() or _crashing()


def missing() -> str | None:
    """What is to be done about what this Python lacks; None: nothing."""
    lacking = [f"{name} ({package})" for name, package in NEEDED.items() if importlib.util.find_spec(name) is None]
    if not lacking:
        return None
    return f"{sys.executable} lacks {', '.join(lacking)}. Install that there, by pip where pip has it; or {_INSTALL}"


def tvm_folder() -> Path | None:
    """Where the TVM lies that would be imported."""
    found = importlib.util.find_spec("tvm")
    return None if found is None or found.origin is None else Path(found.origin).parent


def version_of(tvm: Path) -> str:
    """The version of the TVM in a folder; "" where it does not say."""
    for file, pattern in (
        ("_version.py", r"^__version__ = version = '(.*)'"),
        ("_ffi/libinfo.py", r'__version__ = "(.*)"'),
    ):
        path = tvm / file
        version = re.search(pattern, path.read_text(), re.M) if path.is_file() else None
        if version:
            return version[1]
    return ""


def tuner_of(tvm: Path) -> str | None:
    """The tuner of the TVM in a folder; None: it has none."""
    return next((tuner for tuner, folder in _TUNERS.items() if (tvm / folder).is_dir()), None)


def _without_tuner() -> str | None:
    tvm = tvm_folder()
    tuner = None if tvm is None else tuner_of(tvm)
    if tvm is None or tuner == "ansor":
        return None
    version = version_of(tvm)
    if tuner is None:
        what = "has neither auto_scheduler nor s_tir.meta_schedule"
    elif re.match(r"0\.2[0-5]\.", version):
        what = "has a MetaSchedule of other names"
    else:
        return None
    return f"TVM {version} in {tvm} {what}. Expected {NEEDED['tvm']}: {_INSTALL}"


def _crashing() -> str | None:
    """By the versions where they are known; else it is tried in a process of its own, which takes seconds."""
    tvm = tvm_folder()
    if tvm is None or tuner_of(tvm) != "metaschedule":
        return None
    version = version_of(tvm)
    try:
        ffi = importlib.metadata.version("apache-tvm-ffi")
    except importlib.metadata.PackageNotFoundError:
        ffi = "of no known version"
    working = _WORKING_FFI.get(version, ())
    if ffi in working:
        return None
    tried = subprocess.run(
        [sys.executable, "-c", _TRIAL], env={**os.environ, **variables_of_tvm()}, capture_output=True
    )
    if tried.returncode == 0:
        return None
    pairs = [f"TVM {each} with {', '.join(those)}" for each, those in _WORKING_FFI.items()]
    there = (
        f"{sys.executable} -m pip install apache-tvm-ffi=={working[0]}"
        if working
        else f"known to work are {'; '.join(pairs)}"
    )
    return (
        f"TVM {version} in {tvm} crashes with the tvm-ffi {ffi} beside it, at the first step of a search. Install one "
        f"that works: {there}; or run `npm run setup -- --tvm 0.27`, which does; or name another Python with TVM by "
        "--tvm-python or FAMILYSEER_TVM_PYTHON."
    )


def variables_of_tvm() -> dict[str, str]:
    """What TVM must find in the environment when it is imported: it makes a folder in the home then, and fails where it
    cannot; then it needs another place."""
    try:
        Path("~/.tvm_test_data").expanduser().mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return {"TEST_DATA_ROOT_PATH": tempfile.gettempdir()}
    return {}


def unfit() -> str | None:
    """What of this Python's does not fit its TVM, and what to do, on a line; None: nothing. Neither is imported."""
    try:
        numpy = importlib.metadata.version("numpy")
    except importlib.metadata.PackageNotFoundError:
        return None
    tvm = tvm_folder()
    if int(numpy.split(".")[0]) < 2 or tvm is None:
        return None
    quantizer = tvm / "relay" / "quantize" / "_calibrate.py"
    if not quantizer.is_file() or "np.math." not in quantizer.read_text():
        return None
    return (
        f"numpy {numpy} does not fit the TVM in {quantizer.parents[2]}, which was written for numpy 1: relay.quantize "
        'fails, at least. Install "numpy<2" in that Python.'
    )


if __name__ == "__main__":
    hindered = hindrance()
    if hindered is None:
        print(unfit() or "")
    sys.exit(hindered)
