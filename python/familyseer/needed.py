"""What the worker imports beside Python's own: the one list, which set-up, doctor and the worker's start look through.

`python -m familyseer.needed` exits with 1, and names what is missing, where something is; else it prints what is there
and does not fit.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
import tempfile
from pathlib import Path

# A module, and what brings it; pyproject.toml and requirements*.in name the same (test_start.py).
NEEDED = {
    "tvm": "TVM 0.8 to 0.19 with auto_scheduler",
    "numpy": "numpy",
    "zmq": "pyzmq",
    "msgpack": "msgpack",
    "fastjsonschema": "fastjsonschema",
    "xgboost": "xgboost",
    "psutil": "psutil",
    "cloudpickle": "cloudpickle",
}


def missing() -> str | None:
    """What is to be done about what this Python lacks; None: nothing."""
    lacking = [f"{name} ({package})" for name, package in NEEDED.items() if importlib.util.find_spec(name) is None]
    if not lacking:
        return None
    return (
        f"{sys.executable} lacks {', '.join(lacking)}. Install that there, by pip where pip has it; or run "
        "`npm run setup`, which installs all of it; or name another Python with TVM by --tvm-python or "
        "FAMILYSEER_TVM_PYTHON."
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
    tvm = importlib.util.find_spec("tvm")
    if int(numpy.split(".")[0]) < 2 or tvm is None or tvm.origin is None:
        return None
    quantizer = Path(tvm.origin).parent / "relay" / "quantize" / "_calibrate.py"
    if not quantizer.is_file() or "np.math." not in quantizer.read_text():
        return None
    return (
        f"numpy {numpy} does not fit the TVM in {quantizer.parents[2]}, which was written for numpy 1: relay.quantize "
        'fails, at least. Install "numpy<2" in that Python.'
    )


if __name__ == "__main__":
    lacking = missing()
    if lacking is None:
        print(unfit() or "")
    sys.exit(lacking)
