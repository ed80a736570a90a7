"""A compiled network as a file that plain TVM loads (`tvm.runtime.load_module`), with its weights in it.

`.so` is a shared library, linked here by the C++ compiler, or by the one that `CXX` names. `.tar` holds object files,
which TVM links where the file is loaded, so that it can be made here for any machine.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from .errors import RequestError

ENDINGS = (".so", ".tar")


def check_library(file: str) -> None:
    """Raises RequestError if no library can be written to the file: a wrong ending, or a folder that is not there or
    not writable."""
    path = Path(file)
    if path.suffix not in ENDINGS:
        raise RequestError(f"{path} cannot be exported to. Expected a file that ends with {' or '.join(ENDINGS)}.")
    if path.is_dir():
        raise RequestError(f"{path} cannot be exported to: it is a folder. Expected the name of a file.")
    if not path.parent.is_dir():
        raise RequestError(
            f"{path} cannot be written: there is no folder {path.parent}. Make it, or name another file."
        )
    # What a mode says is not all: a disk may be full, a file system read-only.
    _beside(path).cleanup()


def export_library(compiled: Any, file: str, target: str) -> None:
    """Writes what TVM compiled. The file appears whole or not at all.

    Raises RequestError for what `check_library` refuses, and where the linker cannot link for the target.
    """
    check_library(file)
    path = Path(file)
    with _beside(path) as folder:
        made = Path(folder, path.name)
        try:
            compiled.export_library(str(made))
        except Exception as error:
            if path.suffix == ".tar":
                raise RequestError(f"{path} cannot be written: {_complaint(error)}") from None
            raise RequestError(
                f"{path} cannot be linked for the target {target}: {_complaint(error)} Expected a C++ compiler for "
                "that target, named by CXX (such as CXX=aarch64-linux-gnu-g++), or a file that ends with .tar, which "
                "is linked where it is loaded."
            ) from None
        made.replace(path)


def _beside(path: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder on the same file system, from which a file can be moved into its place at once."""
    try:
        return tempfile.TemporaryDirectory(prefix=".familyseer-", dir=path.parent)
    except OSError as error:
        raise RequestError(f"{path} cannot be written: {error.strerror}. Name a file in a folder of yours.") from None


def _complaint(error: Exception) -> str:
    """The first line of what the linker said, which TVM puts between a title and its own command line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("Compilation error", "Tar error", "Command line"))]
    return f"{(said or lines or [type(error).__name__])[0].rstrip('.')}."
