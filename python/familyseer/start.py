"""Runs a module of this package: `python PATH/start.py familyseer.worker ...`.

As `python -m` does, which however looks for every module in the current folder first, where a user's `random.py` may
lie. Who starts this says so to all that is started from here, TVM's own processes too, by PYTHONSAFEPATH (from Python
3.11 on).
"""

import os
import sys

# ruff: noqa: PTH100, PTH120, UP036 (pathlib would be looked for in the wrong place yet; older Pythons read this file)
# The rest of this package is in a language that they do not know.
if sys.version_info < (3, 9):
    sys.exit(sys.executable + " is Python " + sys.version.split()[0] + ". Expected Python 3.9 or newer, with TVM.")

_package = os.path.dirname(os.path.abspath(__file__))
# A script's own folder comes first, and here that is the package itself, whose modules have names of their own.
sys.path[:] = [path for path in sys.path if path and os.path.realpath(path) != os.path.realpath(_package)]
if os.path.dirname(_package) not in sys.path:
    sys.path.insert(0, os.path.dirname(_package))

if __name__ == "__main__":
    # Only now, from where it belongs.
    import runpy

    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
