"""What was said of a network's tasks, kept to be said again without TVM, which takes seconds to import.

`python -m familyseer.descriptions` prints what the protocol's `extract` gives, or null if that was not kept, or if this
TVM has another tuner than is asked for.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import cache
from .measuring.cpus import find_threads
from .needed import tuner_of, tvm_folder, version_of
from .network_files import digests_of

if TYPE_CHECKING:
    from .wire import messages


def main() -> None:
    parser = argparse.ArgumentParser(prog="familyseer.descriptions", description=__doc__)
    parser.add_argument("--cache", required=True, metavar="FOLDER", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--batch", required=True, type=int)
    parser.add_argument("--layout", required=True)
    parser.add_argument("--inputs", required=True, type=json.loads)
    parser.add_argument("--target", required=True)
    parser.add_argument("--tuner")
    options = parser.parse_args()
    asked = (options.model, options.batch, options.layout, options.inputs, options.target)
    tvm = tvm_folder()
    has_tuner = options.tuner is None or (tvm is not None and tuner_of(tvm) == options.tuner)
    print(json.dumps(recall(options.cache, *asked) if has_tuner else None))


def keep(
    folder: Path,
    model: str,
    batch: int,
    layout: str,
    inputs: list[dict[str, Any]],
    target: str,
    description: messages.ExtractResult,
) -> None:
    """Keeps what `extract` gave for all tasks of a network; the target is as the user wrote it."""
    cache.write(_entry(folder, model, batch, layout, _told(inputs), target), json.dumps(description).encode())


def recall(
    folder: Path, model: str, batch: int, layout: str, inputs: list[dict[str, Any]], target: str
) -> dict[str, Any] | None:
    """What `extract` would give, if that was kept by this TVM and by what this package is now."""
    content = cache.read(_entry(folder, model, batch, layout, _told(inputs), target))
    try:
        description = json.loads(content) if content is not None else None
    except ValueError:
        return None
    if description is None or (target == "native" and not _has_cores_of_this_machine(description["target"])):
        return None
    return {**description, "from_cache": True}


def _entry(folder: Path, *asked: str | int) -> Path:
    model, *_, target = asked
    machine = _cpu() if target == "native" else None
    key = (_sources(), _tvm_version(), machine, digests_of(str(model)), asked)
    return cache.entry_of(folder, "described", ".json", *key)


def _told(inputs: list[dict[str, Any]]) -> str:
    """The user's inputs, the same however they came."""
    return json.dumps(inputs, sort_keys=True)


def _sources() -> str:
    """What describes, and how it is named."""
    content = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.rglob("*.py")))
    return hashlib.sha256(content).hexdigest()


def _tvm_version() -> str:
    """The version, and where the package lies, of the TVM that would be imported."""
    folder = tvm_folder()
    return "" if folder is None else f"{version_of(folder)} {folder}"


def _has_cores_of_this_machine(target: str) -> bool:
    """Whether a target that names its cores, as MetaSchedule's do, has as many as programs run on now."""
    named = re.search(r"-num-cores=(\d+)", target)
    return named is None or int(named[1]) == find_threads().count


def _cpu() -> list[str]:
    """What `native` depends on, the kernel's word."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return [next((line for line in lines if line.startswith(name)), "") for name in ("model name", "flags")]


if __name__ == "__main__":
    main()
