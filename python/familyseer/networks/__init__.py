"""What networks are for either tuner: their layers, the weights of those by name, the inputs of those from files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from ..errors import RequestError
from ..near_misses import did_you_mean
from ..network_files import is_file

if TYPE_CHECKING:
    from .inputs import AskedInput

LAYOUTS = ("NHWC", "NCHW")


def check_question(name: str, batch: int, layout: str, known: Collection[str], files: str) -> None:
    """Raises RequestError for a name that is neither a file nor known (with the near ones), a layout there is not, and
    a batch of none. `files` says which files can be read."""
    if layout not in LAYOUTS:
        raise RequestError(f"Unknown layout: {layout}. The layouts are {' and '.join(LAYOUTS)}.")
    if batch < 1:
        raise RequestError(f"batch is {batch}. Expected a whole number of at least 1.")
    if not is_file(name) and name not in known:
        hint = did_you_mean(name, known, most=3, cutoff=0.4)
        models = ", ".join(sorted(known))
        raise RequestError(f"Unknown model: {name}.{hint} The models are {models}; or name a file: {files}.")


def refuse_inputs(name: str, inputs: Sequence[AskedInput]) -> None:
    """Raises RequestError for any: they are for networks from files."""
    if inputs:
        given = ", ".join(each.name for each in inputs)
        raise RequestError(
            f"{name} is built with inputs of its own, so that {given} cannot be given. Leave --input out; it is for "
            "networks from files."
        )
