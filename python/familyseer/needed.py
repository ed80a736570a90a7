"""What the worker imports beside Python's own: the one list, which set-up, doctor and the worker's start look through.

`python -m familyseer.needed` exits with 1, and names what is missing, where something is.
"""

from __future__ import annotations

import importlib.util
import sys

# A module, and what brings it.
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


if __name__ == "__main__":
    sys.exit(missing())
