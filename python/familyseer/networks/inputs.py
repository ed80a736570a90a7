"""What a file says of its network's inputs, what the user says, and the two together.

A file may leave extents, ranks and dtypes open. The first extent, if open, is the batch; the user is asked for the
rest, by name: nothing is guessed.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from ..errors import RequestError
from ..example_inputs import example_bytes
from ..near_misses import did_you_mean

# As `--input` spells them; of these numpy and TVM make examples.
DTYPES = (
    *("float16", "float32", "float64", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64", "bool"),
)
# Those of TVM's integers that count.
LARGEST_EXTENT = 2**31 - 1
# Names that exporters give extents of which they know nothing: two of one name need not be equal.
_NAMELESS = {"", "?", "-1", "None"}


@dataclass(frozen=True)
class Input:
    """An input with all that is needed to compile for it. Extents are whole numbers of at least 1; () is a scalar."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class AskedInput:
    """What a user says of an input (`--input`); without a dtype it is the file's."""

    name: str
    shape: tuple[int, ...]
    dtype: str | None = None


@dataclass(frozen=True)
class DeclaredInput:
    """What a file says of an input.

    An extent is a number, or, where it is open, the file's own name of it ("" if it has none). With `any_rank` there
    may be any number of extents before these. `dtypes` are those that the input may have, the likeliest first; none:
    any.
    """

    name: str
    extents: tuple[int | str, ...]
    dtypes: tuple[str, ...]
    any_rank: bool = False

    def __str__(self) -> str:
        extents = [str(extent) if extent not in _NAMELESS else "?" for extent in self.extents]
        if self.any_rank:
            shape = " x ".join(["...", *extents]) if extents else "any shape"
        else:
            shape = " x ".join(extents) or "a scalar"
        return ", ".join([shape, *([" or ".join(self.dtypes)] if self.dtypes else [])])


def asked_inputs(inputs: Sequence[dict[str, Any]]) -> tuple[AskedInput, ...]:
    """From the protocol's `inputs`; raises RequestError for a dtype there is not."""
    asked = tuple(AskedInput(each["name"], tuple(each["shape"]), each["dtype"]) for each in inputs)
    for each in asked:
        if each.dtype is not None and each.dtype not in DTYPES:
            raise RequestError(
                f"The input {each.name} cannot be of dtype {each.dtype}. Expected one of {', '.join(DTYPES)}."
            )
    return asked


def settle(path: Path, declared: Sequence[DeclaredInput], asked: Sequence[AskedInput], batch: int) -> list[Input]:
    """Each of a file's inputs, by what the file, the user and the batch say.

    Raises RequestError if they contradict each other, or leave something open that is not a first extent.
    """
    by_name = _by_name(path, declared, asked)
    known = _extents_by_name(path, declared, by_name)
    shapes = {each.name: _shape(each, by_name.get(each.name), known, batch) for each in declared}
    open_inputs = [each for each in declared if shapes[each.name] is None]
    if open_inputs:
        raise RequestError(_what_is_open(path, open_inputs, known, batch))
    settled = [
        Input(each.name, shapes[each.name] or (), _dtype(path, each, by_name.get(each.name))) for each in declared
    ]
    _check_batch(path, declared, settled, batch)
    _check_size(path, settled)
    return settled


def _by_name(path: Path, declared: Sequence[DeclaredInput], asked: Sequence[AskedInput]) -> dict[str, AskedInput]:
    names = [each.name for each in declared]
    by_name: dict[str, AskedInput] = {}
    for each in asked:
        if each.name not in names:
            hint = did_you_mean(each.name, names)
            raise RequestError(f"{path} has no input {each.name}.{hint} Its inputs are {', '.join(names) or 'none'}.")
        if each.name in by_name:
            raise RequestError(f"The input {each.name} is given twice. Expected each input once.")
        by_name[each.name] = each
    return by_name


def _extents_by_name(path: Path, declared: Sequence[DeclaredInput], by_name: dict[str, AskedInput]) -> dict[str, int]:
    """The file's names of open extents, with what the user's inputs make them; checks the inputs against the file."""
    known: dict[str, int] = {}
    for each in declared:
        asked = by_name.get(each.name)
        if asked is None:
            continue
        contradiction = f"{path}: its input {each.name} cannot be {shape_text(asked.shape)}, as the file has it: {each}"
        missing = len(asked.shape) - len(each.extents)
        if missing < 0 or (missing > 0 and not each.any_rank):
            least = "at least " if each.any_rank else ""
            raise RequestError(f"{contradiction}. Expected {least}{_count(len(each.extents))}.")
        for axis, extent in enumerate(each.extents, missing):
            given = asked.shape[axis]
            if isinstance(extent, int) and extent != given:
                raise RequestError(f"{contradiction}. Expected {extent} as its extent {axis + 1}.")
            if isinstance(extent, str) and extent not in _NAMELESS and known.setdefault(extent, given) != given:
                raise RequestError(f"{contradiction}, and {extent} is {known[extent]} elsewhere. Expected one number.")
    return known


def _shape(
    declared: DeclaredInput, asked: AskedInput | None, known: dict[str, int], batch: int
) -> tuple[int, ...] | None:
    """None where something is open that is not the batch."""
    if asked is not None:
        return asked.shape
    shape = [_extent(axis, extent, known, batch) for axis, extent in enumerate(declared.extents)]
    return None if declared.any_rank or None in shape else tuple(extent for extent in shape if extent is not None)


def _extent(axis: int, extent: int | str, known: dict[str, int], batch: int) -> int | None:
    if isinstance(extent, int):
        return extent
    return known.get(extent, batch if axis == 0 else None)


def _dtype(path: Path, declared: DeclaredInput, asked: AskedInput | None) -> str:
    if asked is None or asked.dtype is None:
        return declared.dtypes[0] if declared.dtypes else "float32"
    if declared.dtypes and asked.dtype not in declared.dtypes:
        raise RequestError(
            f"{path}: its input {declared.name} cannot be of dtype {asked.dtype}, as the file has it: {declared}. "
            f"Expected {' or '.join(declared.dtypes)}."
        )
    return asked.dtype


def _what_is_open(path: Path, open_inputs: Sequence[DeclaredInput], known: dict[str, int], batch: int) -> str:
    what = "; ".join(f"{_open_parts(each, known)} of its input {each.name} ({each})" for each in open_inputs)
    options = " ".join(f"--input {_example(each, known, batch)}" for each in open_inputs)
    return (
        f"{path} leaves open: {what}. Say what to compile for by --input NAME:SIZES[:DTYPE], for example, with your "
        f"own sizes: {options}"
    )


def _open_parts(declared: DeclaredInput, known: dict[str, int]) -> str:
    if declared.any_rank:
        return "the shape"
    parts = [
        extent if extent not in _NAMELESS else f"extent {axis + 1}"
        for axis, extent in enumerate(declared.extents)
        if isinstance(extent, str) and extent not in known and axis > 0
    ]
    return " and ".join(parts)


def _example(declared: DeclaredInput, known: dict[str, int], batch: int) -> str:
    """An option that could be meant: images of 224 x 224, sequences of 128."""
    if declared.any_rank:
        whole = bool(declared.dtypes) and "int" in declared.dtypes[0]
        before = [batch] if declared.extents else [batch, 128] if whole else [batch, 3, 224, 224]
    else:
        before = []
    usual = 224 if len(declared.extents) == 4 else 128
    shape = before + [
        _extent(axis, extent, known, batch) or usual for axis, extent in enumerate(declared.extents, len(before))
    ]
    return shlex.quote(f"{declared.name}:{shape_text(shape)}")


def _check_batch(path: Path, declared: Sequence[DeclaredInput], settled: Sequence[Input], batch: int) -> None:
    if batch == 1:
        return
    batched = [
        each
        for each, said in zip(settled, declared)
        if each.shape and (said.any_rank or isinstance(said.extents[0], str))
    ]
    if not any(each.shape[0] == batch for each in batched):
        inputs = ", ".join(f"{each.name} {shape_text(each.shape)}" for each in settled)
        why = "no input has it as its first extent" if batched else f"{path} leaves no first extent open"
        raise RequestError(f"batch is {batch}, but {why} ({inputs}). Expected no batch, or that of the inputs.")


def _check_size(path: Path, settled: Sequence[Input]) -> None:
    """Raises RequestError for what TVM cannot count, or what an example of would not fit into memory."""
    for each in settled:
        what = f"{path}: its input {each.name} cannot be {shape_text(each.shape)} {each.dtype}"
        if any(extent > LARGEST_EXTENT for extent in each.shape):
            raise RequestError(f"{what}. Expected extents of at most {LARGEST_EXTENT}.")
        needed, free = example_bytes(each.shape, each.dtype), psutil.virtual_memory().available
        if needed > free:
            raise RequestError(
                f"{what}: an example of it takes {needed / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} GiB are "
                "free. Expected smaller sizes."
            )


def _count(extents: int) -> str:
    return "1 extent" if extents == 1 else f"{extents} extents"


def shape_text(shape: Sequence[int]) -> str:
    """As `--input` spells a shape, such as 1x3x224x224."""
    return "x".join(map(str, shape)) or "scalar"
