"""Which networks are read from files, and what tells two files apart; without TVM, which takes seconds to import."""

from __future__ import annotations

import hashlib
from pathlib import Path

# How the names of such files end: modules of Relay or Relax, ONNX, TorchScript, what torch.export makes.
ENDINGS = {".json", ".onnx", ".pt", ".pth", ".pt2"}


def is_file(name: str) -> bool:
    """Whether what a user calls a model is a file rather than a name."""
    return "/" in name or Path(name).suffix in ENDINGS


def digests_of(name: str) -> list[str]:
    """Of the contents of what a network is read from, as far as that exists; none for one that has but a name."""
    files = (Path(name), Path(name).with_suffix(".params")) if is_file(name) else ()
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()]
