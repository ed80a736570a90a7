"""Other runtimes that a network is timed beside (`evaluate --against`): ONNX Runtime.

Each runs in a process of its own (`process`), so that its threads are not TVM's, and only there it is imported. A
network by name is built for it from the same layers and weights as TVM's (`builder`); a file is run as it is.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import RequestError
from ..network_files import is_file
from ..networks.convolutional import CLASSIFIERS
from ..networks.transformers import TRANSFORMERS


@dataclass(frozen=True)
class Runtime:
    """What there is to know of a runtime before it is imported. `package` is what pip calls it, `module` what Python
    does, `builds_with` the module that it needs for a network by name, `endings` those of the files that it runs."""

    words: str
    package: str
    module: str
    builds_with: str
    endings: tuple[str, ...]


RUNTIMES = {
    "onnxruntime": Runtime("ONNX Runtime", "onnxruntime", "onnxruntime", "onnx", (".onnx",)),
}


def check_rival(name: str, model: str) -> None:
    """Raises RequestError for a runtime that this Python lacks, or that cannot run a network."""
    runtime = RUNTIMES[name]
    named = [*CLASSIFIERS, *TRANSFORMERS]
    if (Path(model).suffix not in runtime.endings) if is_file(model) else (model not in named):
        raise RequestError(
            f"{runtime.words} cannot run {model}. Expected a file that ends with {', '.join(runtime.endings)}, or one "
            f"of {', '.join(named)}; or leave {name} out of --against."
        )
    needed = (runtime.module,) if is_file(model) else (runtime.module, runtime.builds_with)
    lacking = next((module for module in needed if importlib.util.find_spec(module) is None), None)
    if lacking is not None:
        package = runtime.package if lacking == runtime.module else lacking
        raise RequestError(
            f"--against {name} needs the Python package {package}, which the Python with TVM lacks. Install it there: "
            f"{sys.executable} -m pip install {package}; or leave {name} out."
        )
